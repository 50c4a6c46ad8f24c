"""Values as they may be shown: their shape, and a keyed token that keeps equality; never the value.

A token is a keyed BLAKE2b of the value (PCI DSS 4.0.1, 3.5.1.1: hashes of card numbers are keyed), so equal values
have equal tokens within one installation. The shape is written like a PICTURE clause: `9(4).9(2)`, `A(3)`. The key is
$STRANGLER_REDACTION_KEY, or else a random file that only its owner reads, made once in the runtime directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import string
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

from config.paths import Path
from shadow.json_model import without_trailing_zeros
from shadow.sensitive import CARD_DIGITS_MIN, is_card_number, is_iban, masked

KEY_VARIABLE, DIRECTORY_VARIABLE = "STRANGLER_REDACTION_KEY", "STRANGLER_RUN"
KEY_FILE = "redaction.key"
TOKEN_BYTES = 5
SHAPE_RUNS_MAX = 12
MASK_CHARACTERS_MAX = 64
TEXT_LOOKED_AT_MAX = 64 << 10
NAME_CHARACTERS_MAX = 64
EXPONENT_SPELT_OUT_MAX = 40

_RUN = re.compile(r"[0-9]+|[A-Z]+|[a-z]+|[^\W\d_]+|\s+|.", re.DOTALL)
_PLAIN_NAME = re.compile(r"[@#]?[A-Za-z_][A-Za-z0-9_-]*\Z")
_LOOKS_LIKE_DATA = re.compile(r"\d{4}|.@|[A-Z]{2}\d{2}[ A-Z0-9]{4}|(?=[^0-9]*\d)[A-Za-z0-9_-]{24}|eyJ")
_PROTOCOL_WORD = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}\Z")


class Redactor:
    """Shows values without showing them; made with the installation's key (at least 16 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._start = hashlib.blake2b(digest_size=TOKEN_BYTES, key=hashlib.sha256(key).digest())

    def token(self, value: bytes) -> str:
        """The keyed token of some bytes, as hex."""
        state = self._start.copy()
        state.update(value)
        return state.hexdigest()

    def shown(self, value: Any) -> str:
        """A value of a tree as it may be shown. Truth values and null say nothing about anybody and stay."""
        if type(value) is str:
            return f"{_label(value)} ~{self.token(value.encode('utf-8', 'surrogatepass'))}"
        if value is None or value is True or value is False:
            return json.dumps(value)
        if isinstance(value, dict):
            return f"object({len(value)})"
        if isinstance(value, list | tuple):
            return f"array({len(value)})"
        if isinstance(value, bytes):
            return f"bytes({len(value)}) ~{self.token(value)}"
        spelt = str(value)
        return f"{_label(spelt)} ~{self.token(_plain(value, spelt).encode('utf-8', 'surrogatepass'))}"

    def text(self, text: str) -> str:
        """A text in which what is sensitive (`shadow/sensitive.py`) has become a token; the rest stays as it is."""
        return masked(text, self.token)


def _plain(value: Any, spelt: str) -> str:
    # 1.0 and 1.00 are one number and get one token.
    if not isinstance(value, Decimal):
        return spelt
    if "E" not in spelt:
        return (spelt.rstrip("0").rstrip(".") if "." in spelt else spelt) if value else "0"
    number = without_trailing_zeros(value)
    return format(number, "f") if abs(number.adjusted()) < EXPONENT_SPELT_OUT_MAX else str(number)


def _label(text: str) -> str:
    if len(text) >= CARD_DIGITS_MIN:  # what is shorter is no IBAN either
        if is_card_number(text):
            return f"PAN({len(text)})"
        if is_iban(text):
            return f"IBAN({len(text)})"
    return shape(text)


def shape(text: str) -> str:
    """The picture of a text: digits 9, capitals A, small letters a, other letters X, each with its length."""
    # Values do not repeat, but their shapes do: the picture of each is made once.
    if len(text) <= MASK_CHARACTERS_MAX and text.isascii():
        return _shape_of_mask(text.encode("ascii").translate(_MASK))
    return _shape(text)


_MASK = bytes.maketrans(
    (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode(), b"9" * 10 + b"A" * 26 + b"a" * 26
)


@lru_cache(maxsize=4096)
def _shape_of_mask(mask: bytes) -> str:
    return _shape(mask.decode("ascii"))


def _shape(text: str) -> str:
    parts: list[str] = []
    for found in _RUN.finditer(text[:TEXT_LOOKED_AT_MAX]):
        if len(parts) == SHAPE_RUNS_MAX:
            return f"{''.join(parts)}... ({len(text)} characters)"
        parts.append(_picture(found[0]))
    return "".join(parts) or "empty"


def coarse_shape(shown: str) -> str:
    """A shown value without lengths and token, so that differences of one sort fall into one cluster."""
    return re.sub(r"\(\d+\)|\.\.\. \(.*", "", shown.partition(" ~")[0])


def _picture(run: str) -> str:
    first, length = run[0], len(run)
    if first.isdecimal():
        letter = "9"
    elif first.isalpha():
        letter = ("A" if first.isupper() else "a") if run.isascii() else "X"
    elif run.isspace():
        return " "
    else:
        return first if first.isascii() and first.isprintable() else "?"
    return _pictured(letter, length)


def _pictured(letter: str, length: int) -> str:
    return letter if length == 1 else f"{letter}({length})"


@lru_cache(maxsize=4096)
def path_pattern(path: Path) -> str:
    """A concrete path as a pattern: indexes become [*], and names that look like data become `.*`."""
    return "$" + "".join(["[*]" if isinstance(step, int) else _name(step) for step in path])


@lru_cache(maxsize=4096)
def path_place(path: Path) -> str:
    """A concrete path with its indexes; names that look like data are still `.*`."""
    return "$" + "".join([f"[{step}]" if isinstance(step, int) else _name(step) for step in path])


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    # Four digits in a row, an address, a great length: that is a value used as a name, and not a field.
    if len(name) > NAME_CHARACTERS_MAX or _LOOKS_LIKE_DATA.search(name):
        return ".*"
    if _PLAIN_NAME.match(name):
        return f".{name}"
    return "['" + json.dumps(name)[1:-1].replace("'", "\\u0027") + "']"


def head_place(place: str) -> str:
    """A place in the head, such as `cookie:SID.secure`; a name that looks like data is `*`."""
    kind, colon, name = place.partition(":")
    return f"{kind}:*" if colon and (len(name) > NAME_CHARACTERS_MAX or _LOOKS_LIKE_DATA.search(name)) else place


def is_protocol_word(text: str) -> bool:
    """Whether a media type is one that could stand in a register, so that it may be shown as it is."""
    return bool(_PROTOCOL_WORD.match(text)) and not _LOOKS_LIKE_DATA.search(text)


@lru_cache(maxsize=1)
def installed() -> Redactor:
    """The redactor of this installation, by the key of the environment or the runtime directory."""
    return Redactor(installation_key(os.environ))


def redactor_of(directory: FilePath) -> Redactor:
    """The redactor of the gateway whose runtime directory that is."""
    return Redactor(installation_key({**os.environ, DIRECTORY_VARIABLE: str(directory)}))


def installation_key(environ: Mapping[str, str]) -> bytes:
    """The key from the environment, or from the file in the runtime directory, which is made if it is missing."""
    if environ.get(KEY_VARIABLE):
        return environ[KEY_VARIABLE].encode()
    path = FilePath(environ.get(DIRECTORY_VARIABLE) or ".strangler") / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        # A link fails where the file exists, so of two processes that start together both use the first one's key.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes()

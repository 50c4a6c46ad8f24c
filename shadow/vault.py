"""Seals what is stored of answers: AES-GCM under keys from the environment, each with an id, so that keys can change.

$STRANGLER_SAMPLE_KEYS is `ID:BASE64[,ID:BASE64...]`, each 32 bytes (`openssl rand -base64 32`). The first one seals;
all of them open. To change keys, put a new one in front; to make old records unreadable, take their key away. Without
any key nothing is stored: there is no way to store an answer in clear.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from config.errors import USAGE, StranglerError

KEYS_VARIABLE = "STRANGLER_SAMPLE_KEYS"
KEY_BYTES, NONCE_BYTES, KEYS_MAX = 32, 12, 16
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,40}\Z")


@dataclass(eq=False)
class SampleKeysInvalid(StranglerError):
    """The variable with the keys of the store cannot be used."""

    problem: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """What is wrong; nothing of a key."""
        return f"${KEYS_VARIABLE} cannot be used: {self.problem}."

    @property
    def hint(self) -> str:
        """What it looks like."""
        return f'Write ID:BASE64 of 32 bytes, the newest first: {KEYS_VARIABLE}="2026b:$(openssl rand -base64 32)".'


@dataclass(eq=False)
class NoPairsStored(StranglerError):
    """Pairs are to be judged anew, and none can have been stored."""

    capability: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """What is missing."""
        return f"No pairs of {self.capability} are stored: the environment has no key to seal them with."

    @property
    def hint(self) -> str:
        """How pairs come to be stored."""
        return (
            'Start the gateway, and run this command, with STRANGLER_SAMPLE_KEYS="2026:$(openssl rand -base64 32)"; '
            "20 pairs of each route and verdict are then kept, redacted and sealed."
        )


@dataclass(eq=False)
class NothingCaptured(StranglerError):
    """Reads are to be replayed, and none are stored."""

    capability: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """What is missing."""
        return f"No reads of {self.capability} are stored to be replayed."

    @property
    def hint(self) -> str:
        """How they come to be stored."""
        return (
            f"Write shadow: {{captures: 100}} at {self.capability} in routes.yaml, and give the gateway and this "
            f"command the same ${KEYS_VARIABLE}; reads are kept from then on."
        )


@dataclass(frozen=True)
class Sealed:
    """A record as it is stored."""

    key_id: str
    data: bytes


class Vault:
    """Seals with its first key and opens with any. `about` is what a record belongs to: it opens nowhere else."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.key_id = next(iter(keys))

    def seal(self, plain: bytes, about: str) -> Sealed:
        """The record under the newest key; a random nonce each time."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.key_id].encrypt(nonce, plain, _bound(self.key_id, about))
        return Sealed(self.key_id, nonce + sealed)

    def open(self, sealed: Sealed, about: str) -> bytes | None:
        """The record; None where its key is gone, or where it was changed or moved."""
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            return None
        try:
            return cipher.decrypt(sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:], _bound(sealed.key_id, about))
        except (InvalidTag, ValueError):
            return None


def _bound(key_id: str, about: str) -> bytes:
    return f"strangler pair\0{key_id}\0{about}".encode("utf-8", "surrogatepass")


def vault_of(environ: Mapping[str, str]) -> Vault | None:
    """The vault by the keys of the environment; None without any. Raises SampleKeysInvalid."""
    text = environ.get(KEYS_VARIABLE, "").strip()
    if not text:
        return None
    keys: dict[str, bytes] = {}
    for number, part in enumerate(text.split(","), start=1):
        key_id, colon, encoded = part.strip().partition(":")
        if not colon or not _KEY_ID.match(key_id) or key_id in keys:
            raise SampleKeysInvalid(f"entry {number} has no id of its own")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SampleKeysInvalid(f"the key {key_id} is not base64") from error
        if len(key) != KEY_BYTES:
            raise SampleKeysInvalid(f"the key {key_id} has {len(key)} bytes instead of {KEY_BYTES}")
        keys[key_id] = key
    if len(keys) > KEYS_MAX:
        raise SampleKeysInvalid(f"it has more than {KEYS_MAX} keys")
    return Vault(keys)

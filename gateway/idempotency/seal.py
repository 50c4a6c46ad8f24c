"""Seals what is stored at rest: AES-256-GCM under keys from the environment; the first seals, every one opens."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from config.errors import USAGE, StranglerError

KEYS_VARIABLE: Final = "STRANGLER_ANSWER_KEYS"
KEY_BYTES, ID_BYTES, NONCE_BYTES = 32, 8, 12


@dataclass(eq=False)
class SealKeysUnusable(StranglerError):
    """Answers would have to be stored in clear, so nothing is started."""

    reason: str
    exit_code = USAGE

    @property
    def sentence(self) -> str:
        """What is wrong with the variable; never what is in it."""
        return f"gateway.idempotency keeps answers, and {KEYS_VARIABLE} {self.reason}."

    @property
    def hint(self) -> str:
        """How to make a key, and how to change it."""
        return (
            f"export {KEYS_VARIABLE}=$(openssl rand -base64 32), the same for every gateway; to change it put the new "
            "key in front, separated by a comma, and remove the old one when `keep` has passed."
        )


class Sealer:
    """Seals and opens; what is sealed says under which key, so that keys can be changed under load."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {sha256(b"seal" + key).digest()[:ID_BYTES]: AESGCM(key) for key in keys}
        self._first = next(iter(self._ciphers))

    def seal(self, data: bytes, owner: bytes) -> bytes:
        """Seal `data` so that it opens only beside the same `owner` (the row that it belongs to)."""
        nonce = os.urandom(NONCE_BYTES)
        return self._first + nonce + self._ciphers[self._first].encrypt(nonce, data, owner)

    def open(self, sealed: bytes, owner: bytes) -> bytes | None:
        """The data; None if it was changed, belongs to another owner, or its key is gone."""
        cipher = self._ciphers.get(sealed[:ID_BYTES])
        if cipher is None:
            return None
        try:
            return cipher.decrypt(sealed[ID_BYTES : ID_BYTES + NONCE_BYTES], sealed[ID_BYTES + NONCE_BYTES :], owner)
        except (InvalidTag, ValueError):
            return None


def sealer(environ: Mapping[str, str] = os.environ) -> Sealer:
    """The sealer of this process. Raises SealKeysUnusable."""
    text = environ.get(KEYS_VARIABLE, "")
    if not text.strip():
        raise SealKeysUnusable("is not set")
    try:
        keys = [base64.b64decode(part.strip(), validate=True) for part in text.split(",")]
    except binascii.Error as error:
        raise SealKeysUnusable("is not base64") from error
    if any(len(key) != KEY_BYTES for key in keys):
        raise SealKeysUnusable(f"holds a key that has not {KEY_BYTES} bytes")
    return Sealer(keys)

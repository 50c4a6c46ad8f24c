"""A canary key as it may leave the gateway: equality survives, the value does not."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from shadow.redact import KEY_VARIABLE

SECRET_BYTES = 32
FILE = "token.key"


def subject_of(key: bytes, secret: bytes) -> str:
    """The keyed token of a key, by the secret of the installation."""
    return hashlib.blake2b(key, key=secret[:64], digest_size=16).hexdigest()


def known_secret(run: Path, environ: Mapping[str, str]) -> bytes | None:
    """The secret by which keys become tokens: the environment's, else that of the run directory if it has one."""
    given = environ.get(KEY_VARIABLE)
    if given:
        return hashlib.sha256(b"subjects\0" + given.encode()).digest()
    try:
        return (run / FILE).read_bytes()
    except FileNotFoundError:
        return None


def secret_of(run: Path, environ: Mapping[str, str]) -> bytes:
    """The same, made if it is missing: one for all workers of a run directory, and for later runs."""
    path = run / FILE
    known = known_secret(run, environ)
    if known is not None and len(known) >= SECRET_BYTES:
        return known
    made = secrets.token_bytes(SECRET_BYTES)
    if known is not None:  # what wrote it was killed in the middle
        path.write_bytes(made)
        return made
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another worker was quicker
        return secret_of(run, environ)
    with os.fdopen(handle, "wb") as file:
        file.write(made)
    return made

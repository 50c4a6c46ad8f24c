import gzip
import zlib
from collections.abc import Callable
from functools import partial

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shadow import unpack
from shadow.json_model import Unreadable
from shadow.unpack import unpacked

QUICK_BROTLI = partial(brotli.compress, quality=1)
PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", lambda raw: zlib.compress(raw)[2:-4]),
    ("br", QUICK_BROTLI),
    ("zstd", zstandard.ZstdCompressor().compress),
    ("br, gzip", lambda raw: gzip.compress(QUICK_BROTLI(raw))),
]


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
@given(plain=st.binary(min_size=30, max_size=400))
def test_a_packed_body_is_opened_and_a_cut_one_is_malformed(
    encoding: str, pack: Callable[[bytes], bytes], plain: bytes
) -> None:
    assert unpacked(pack(plain), encoding) == plain
    assert unpacked(pack(plain)[:-9], encoding) == Unreadable("malformed_encoding")


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_a_bomb_is_not_opened_beyond_the_bound(
    encoding: str, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unpacked(pack(bytes(1 << 20)), encoding) == bytes(1 << 20)
    assert unpacked(pack(bytes(64 << 20)), encoding) in (Unreadable("compression_bomb"), Unreadable("too_large"))
    monkeypatch.setattr(unpack, "BODY_BYTES_MAX", 1000)
    assert unpacked(pack(b"x" * 100_000), encoding) == Unreadable("too_large")


def test_what_follows_a_packed_body_is_not_lost() -> None:
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"
    assert unpacked(gzip.compress(b"a") + b"junk", "gzip") == Unreadable("malformed_encoding")
    assert unpacked(zlib.compress(b"a") + b"junk", "deflate") == Unreadable("malformed_encoding")


def test_a_plain_body_is_bounded_and_an_unknown_encoding_said() -> None:
    assert unpacked(b"x", "identity") == b"x"
    assert unpacked(b"x" * (unpack.BODY_BYTES_MAX + 1), "") == Unreadable("too_large")
    assert unpacked(b"x", "compress") == Unreadable("unknown_encoding")
    assert unpacked(b"x", "gzip, gzip, gzip, gzip") == Unreadable("unknown_encoding")
    assert unpacked(b"not gzip", "gzip") == Unreadable("malformed_encoding")

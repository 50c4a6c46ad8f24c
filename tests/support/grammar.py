"""A grammar of HTTP/1.1 for Hypothesis: valid messages with their meaning, and ways to spoil them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from hypothesis import strategies as st

Fields = list[tuple[bytes, bytes]]

TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Names that mean something to a gateway are drawn on purpose where a test wants them, never by chance.
RESERVED = (b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect", b"via", b"te", b"date",
            b"keep-alive", b"traceparent", b"trailer", b"max-forwards", b"forwarded", b"idempotency-key")  # fmt: skip
TARGET = b"abcXYZ019-._~!$&'()*+,;=:@/?%|^`{}\"<>"


def _text(alphabet: bytes, low: int, high: int) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(alphabet), min_size=low, max_size=high).map(bytes)


names = _text(TOKEN, 1, 12).filter(lambda name: not _is_reserved(name))
values = _text(bytes([9, *range(32, 127), *range(128, 256)]), 0, 20).map(lambda value: value.strip(b" \t"))
fields = st.lists(st.tuples(names, values), max_size=5)
targets = _text(TARGET, 0, 20).map(lambda rest: b"/" + rest.replace(b"%0", b"%1"))
methods = st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"])
bodies = st.one_of(
    st.just(b""),
    st.binary(max_size=60),
    st.sampled_from([b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\n\r\n", b"\r\n\r\n\r\n"]),
)


def _is_reserved(name: bytes) -> bool:
    lower = name.lower().replace(b"_", b"-")
    return lower in RESERVED or lower.startswith((b"x-", b"proxy-", b"true-", b"http2-"))


@dataclass(frozen=True)
class Sent:
    """One valid request: its bytes and what must arrive."""

    data: bytes
    method: bytes
    target: bytes
    fields: Fields
    body: bytes
    trailers: Fields


def _chunked(body: bytes, cuts: list[int], extension: bytes, trailers: Fields) -> bytes:
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    parts = [body[start:end] for start, end in itertools.pairwise(places)]
    data = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts if part)
    return data + b"0\r\n" + lines(trailers) + b"\r\n"


def lines(pairs: Fields) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in pairs)


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """A valid request with an unusual but lawful form."""
    method, target, extra = draw(methods), draw(targets), draw(fields)
    body = draw(bodies)
    head = method + b" " + target + b" HTTP/1.1\r\n"
    own: Fields = [(b"Host", b"bank"), *extra]
    trailers: Fields = []
    if draw(st.booleans()) and body:
        trailers = draw(fields)
        extension = draw(st.sampled_from([b"", b";a", b';a="b"', b";x=1;y"]))
        coded = _chunked(body, draw(st.lists(st.integers(0, 99), max_size=4)), extension, trailers)
        data = head + lines(own) + b"Transfer-Encoding: chunked\r\n\r\n" + coded
    elif body or draw(st.booleans()):
        data = head + lines(own) + b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        data = head + lines(own) + b"\r\n"
    return Sent(data, method, target, own, body, trailers)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A valid answer."""
    status = draw(
        st.sampled_from([b"200 OK", b"204 No Content", b"304 Not Modified", b"404 ", b"500 X Y", b"205 Reset", b"299"])
    )
    body = b"" if status[:3] in (b"204", b"304", b"205") else draw(bodies)
    interim = draw(
        st.sampled_from([b"", b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
    )
    head = interim + b"HTTP/1.1 " + status + b"\r\n" + lines(draw(fields))
    if draw(st.booleans()) and body:
        return (
            head
            + b"Transfer-Encoding: chunked\r\n\r\n"
            + _chunked(body, draw(st.lists(st.integers(0, 99), max_size=3)), b"", draw(fields))
        )
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


SPOILS = (b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b";", b",", b"\x0b", b"\x7f", b"\xff", b"0", b"1", b"a", b"-1",
          b"\r\n ", b"chunked", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Host: evil\r\n",
          b"Connection: close\r\n", b"Connection: Host, Content-Length\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Upgrade: h2c\r\n",
          b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: bank\r\n\r\n", b"HTTP/1.1", b" HTTP/1.0\r\n", b"HTTP/1.1 200 OK\r\n",
          b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", b"\r\nTE: trailers", b"5;", b"ffffffffffffffff")  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that were valid before one to three of them were put in, taken out, doubled or exchanged."""
    data = draw(source)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5]))
        kind = draw(st.sampled_from(["put", "take", "double", "line"]))
        if kind == "put":
            data = data[:at] + draw(st.sampled_from(SPOILS)) + data[at + length :]
        elif kind == "take":
            data = data[:at] + data[at + max(1, length) :]
        elif kind == "double":
            data = data[:at] + data[at : at + length * 4] * 2 + data[at + length * 4 :]
        else:  # a whole line in front of another one
            at = data.find(b"\r\n", at) + 2
            data = data[:at] + draw(st.sampled_from([spoil for spoil in SPOILS if spoil.endswith(b"\r\n")])) + data[at:]
    return data


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes in a few writes."""
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=3))})
    return [data[start:end] for start, end in itertools.pairwise(cuts)] or [data]

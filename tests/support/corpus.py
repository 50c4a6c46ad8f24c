"""Pairs of answers of every kind with a known verdict: equal, equivalent by a rule, or different in one known way.

The generator is seeded, so a pair that is judged wrongly can be made again by its number.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape

import brotli
import zstandard

from config.comparing import Compare
from legacy_adapter.codec import decode, encode, parse_copybook
from shadow.body import Decoder
from shadow.observation import Observation
from shadow.rules import Rules

LAYOUT = parse_copybook(
    """
       01  REPLY.
           05  TRAN    PIC X(4).
           05  ACCT    PIC X(10).
           05  CCY     PIC X(3).
           05  FEE     PIC S9(5)V99.
           05  CNT     PIC S9(4) COMP.
           05  BAL     PIC S9(15)V99 COMP-3.
"""
)
NAMES = ("Erika Mustermann", "Zoë Ö'Brien & Co", "Li 李 小龙", 'A "B" <C>', "de la Cruz, Ana")
Row = dict[str, Any]


@dataclass
class Case:
    """One pair: both bodies, how they are sent, the rules, and the verdict that is right."""

    number: int
    kind: str
    expected: str
    control: bytes
    candidate: bytes
    media: str
    path: str = ""
    compare: dict[str, Any] = field(default_factory=dict)
    other_media: str = ""
    headers: tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = ((), ())
    status: int = 200

    def rules(self) -> Rules:
        """Its rules, compiled."""
        return Rules.of(Compare.model_validate(self.compare), date(2026, 11, 25))

    def decoder(self) -> Decoder | None:
        """The layout of fixed-width bodies."""
        return fixed_decoder if self.media == "application/x-cobol" else None

    def observations(self) -> tuple[Observation, Observation]:
        """Both answers."""
        ours = (("Content-Type", self.media), *self.headers[0])
        theirs = (("content-type", self.other_media or self.media), *self.headers[1])
        return (
            Observation(200, ours, self.control, 0.01, "legacy"),
            Observation(self.status, theirs, self.candidate, 0.01, "modern"),
        )


def fixed_decoder(raw: bytes) -> object:
    """A record of LAYOUT in EBCDIC."""
    record = decode(LAYOUT, raw, "cp037")
    return list(record.findings) if record.findings else record.values


def record(chance: random.Random) -> Row:
    """An account as a bank would answer it."""
    large = Decimal(chance.randrange(10**15, 10**17)) / 100
    return {
        "acct": f"{chance.randrange(10**10):010d}",
        "bal": large if chance.random() < 0.3 else Decimal(chance.randrange(-(10**9), 10**9)) / 100,
        "ccy": chance.choice(("EUR", "CHF", "USD")),
        "opened": f"20{chance.randrange(10, 30)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
        "holder": chance.choice(NAMES),
        "status": chance.choice(("A", "B")),
        "items": [
            {"ref": f"R{chance.randrange(10**6):06d}{n}", "amt": Decimal(chance.randrange(1, 10**6)) / 100, "cnt": n}
            for n in range(chance.randrange(2, 6))
        ],
    }


def _copy(row: Row) -> Row:
    return {**row, "items": [dict(item) for item in row["items"]]}


# One change that a client would notice, and the path where it must be found in a tree of names.


def _cent(row: Row, _: random.Random) -> str:
    row["bal"] += Decimal("0.01")
    return "$.bal"


def _currency(row: Row, _: random.Random) -> str:
    row["ccy"] = {"EUR": "CHF", "CHF": "USD", "USD": "EUR"}[row["ccy"]]
    return "$.ccy"


def _account(row: Row, _: random.Random) -> str:
    last = (int(row["acct"][-1]) + 1) % 10
    row["acct"] = f"{row['acct'][:-1]}{last}"
    return "$.acct"


def _day(row: Row, _: random.Random) -> str:
    row["opened"] = row["opened"][:-2] + ("30" if row["opened"][-2:] != "30" else "29")
    return "$.opened"


def _holder(row: Row, _: random.Random) -> str:
    row["holder"] += "."
    return "$.holder"


def _item_amount(row: Row, chance: random.Random) -> str:
    chance.choice(row["items"])["amt"] += Decimal("0.01")
    return "$.items[*].amt"


def _item_gone(row: Row, _: random.Random) -> str:
    row["items"].pop()
    return "$.items"


FLAT = (_cent, _currency, _account, _day, _holder)
NESTED = (*FLAT, _item_amount, _item_gone)


# Writers: one record in each form; `style` chooses a spelling that makes no difference.


def as_json(row: Row, style: int = 0) -> bytes:
    """JSON with the numbers as they are."""
    text = json.dumps(
        row, default=lambda number: f"\0{number}\0", ensure_ascii=style % 2 == 0, indent=(None, 2)[style // 2 % 2]
    )
    return text.replace('"\\u0000', "").replace('\\u0000"', "").encode()


def as_xml(row: Row, style: int = 0) -> bytes:
    """XML in a namespace; other prefixes, quotes, CDATA and orders of attributes by style."""
    p = ("", "b:", "bank:")[style % 3]
    quote_ = "\"'"[style % 2]
    declared = f"xmlns{':' + p[:-1] if p else ''}={quote_}urn:bank:v1{quote_}"
    holder = f"<![CDATA[{row['holder']}]]>" if style % 2 else escape(row["holder"])
    attributes = [f"ccy={quote_}{row['ccy']}{quote_}", f"status={quote_}{row['status']}{quote_}"]
    gap = ("", "\n  ")[style % 2]
    items = "".join(
        f"{gap}<{p}item><{p}ref>{item['ref']}</{p}ref><{p}amt>{item['amt']}</{p}amt></{p}item>" for item in row["items"]
    )
    fields = "".join(f"{gap}<{p}{name}>{row[name]}</{p}{name}>" for name in ("acct", "bal", "opened"))
    ordered = " ".join(attributes if style % 2 == 0 else reversed(attributes))
    body = f"<{p}account {declared} {ordered}>{fields}{gap}<{p}holder>{holder}</{p}holder>{items}</{p}account>"
    return (('<?xml version="1.0"?><!-- x -->' if style % 2 else "") + body).encode()


def _flat(row: Row) -> list[tuple[str, str]]:
    names = ("acct", "bal", "ccy", "opened", "holder", "status")
    return [*((name, str(row[name])) for name in names), *(("ref", item["ref"]) for item in row["items"])]


def as_form(row: Row, style: int = 0) -> bytes:
    """A form; other escapes by style."""
    return urlencode(_flat(row), quote_via=quote if style % 2 else quote_plus).encode()


def as_multipart(row: Row, style: int = 0) -> tuple[bytes, str]:
    """Parts for the fields, JSON for the items; another boundary by style. Returns the Content-Type too."""
    boundary = f"----b{style}x{style * 7}"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in _flat(row)[:6]
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="doc"; filename="i.json"\r\n'
    parts.append(
        head.encode() + b"Content-Type: application/json\r\n\r\n" + as_json({"items": row["items"]}, style) + b"\r\n"
    )
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def as_csv(row: Row, style: int = 0) -> bytes:
    """The items as rows; everything quoted by style."""
    rows = [("ref", "amt", "ccy"), *((item["ref"], str(item["amt"]), row["ccy"]) for item in row["items"])]
    mark = '"' if style % 2 else ""
    return "".join(",".join(f"{mark}{cell}{mark}" for cell in line) + "\r\n" for line in rows).encode()


def as_fixed(row: Row) -> bytes:
    """A record in EBCDIC with packed and binary fields."""
    item = row["items"][0]
    values = {
        "TRAN": "INQA", "ACCT": row["acct"], "CCY": row["ccy"], "FEE": item["amt"] % 90_000, "CNT": item["cnt"], "BAL": row["bal"] % 10**14,
    }  # fmt: skip
    return encode(LAYOUT, values, "cp037")


def as_text(row: Row, printed: str = "now") -> bytes:
    """A statement for a printer."""
    lines = [f"Printed at {printed}", *(f"{name}: {value}" for name, value in _flat(row))]
    return ("\n".join(lines) + "\n").encode()


def as_html(row: Row, style: int = 0) -> bytes:
    """A page; other tags and classes around the same text by style."""
    tag = ("p", "div")[style % 2]
    fields = "".join(f"<{tag} class=c{style}>{name}: <b>{escape(value)}</b></{tag}>" for name, value in _flat(row))
    return f"<!doctype html><html><head><script>v{style}</script></head><body>{fields}<a href='/a/{row['acct']}'>x</a></body></html>".encode()


def _encodings() -> list[tuple[str, Callable[[bytes], bytes]]]:
    return [
        ("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A form of answer: its writer, the changes that it can show, and where they are found in it."""

    name: str
    media: str
    write: Callable[..., bytes]
    changes: tuple[Callable[[Row, random.Random], str], ...]
    place: Callable[[str], str] = lambda path: path
    styles: int = 1


def _xml_place(path: str) -> str:
    return {"$.ccy": "$.account.@ccy", "$.items": "$.account.item"}.get(
        path, f"$.account{path[1:].replace('items[*]', 'item[*]')}"
    )


def _fixed_place(path: str) -> str:
    return f"$.{path[2:].upper()}"


def _lines_place(_: str) -> str:
    return "$[*]"


def _csv_place(path: str) -> str:
    return {"$.items": "$"}.get(path, "$[*]." + path.rpartition(".")[2])


def _multipart_bytes(row: Row, style: int = 0) -> bytes:
    return as_multipart(row, style)[0]


KINDS = (
    Kind("json", "application/json", as_json, NESTED, styles=4),
    Kind("xml", "application/soap+xml", as_xml, NESTED, _xml_place, styles=6),
    Kind("form", "application/x-www-form-urlencoded", as_form, (*FLAT, _item_gone), lambda path: path.replace("items", "ref"), 2),
    Kind("multipart", "multipart/form-data", _multipart_bytes, NESTED,
         lambda path: f"{path}.content" if path.count(".") == 1 and "items" not in path else f"$.doc.content.items{path[7:]}", 3),
    Kind("fixed", "application/x-cobol", as_fixed, (_cent, _currency, _account), _fixed_place),
    Kind("csv", "text/csv", as_csv, (_currency, _item_amount, _item_gone), _csv_place, 2),
    Kind("text", "text/plain", as_text, FLAT, _lines_place),
    Kind("html", "text/html", as_html, (_cent, _currency, _day, _holder), _lines_place),
    Kind("bytes", "application/octet-stream", as_json, NESTED, lambda _: "$"),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


def _media(kind: Kind, style: int) -> str:
    return f"multipart/form-data; boundary=----b{style}x{style * 7}" if kind.name == "multipart" else kind.media


# Differences that are easily missed: what is sent, by which rules it is judged, and where the difference is.
SUBTLE: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    ("application/json", '{"a":90071992547409.93}', '{"a":90071992547409.94}', "$.a", {}),
    ("application/json", '{"a":0.1}', '{"a":0.10000000000000001}', "$.a", {}),
    ("application/json", '{"a":1}', '{"a":true}', "$.a", {}),
    ("application/json", '{"a":1}', '{"a":"1"}', "$.a", {}),
    ("application/json", '{"a":null}', "{}", "$.a", {}),
    ("application/json", '{"a":""}', '{"a":null}', "$.a", {}),
    ("application/json", '{"a":[]}', '{"a":{}}', "$.a", {}),
    ("application/json", '{"a":[1,1,2]}', '{"a":[1,2,2]}', "$.a[*]", {"rules": [{"path": "$.a", "order": "any", "reason": "set"}]}),
    ("application/json", '{"a":[1,2,3]}', '{"a":[3,2,1]}', "$.a", {}),
    ("application/json", '{"a":[{"k":1,"v":1},{"k":1,"v":2}]}', '{"a":[{"k":1,"v":1},{"k":1,"v":3}]}', "$.a[*].v",
     {"rules": [{"path": "$.a", "key": "k", "reason": "keyed"}]}),
    ("application/json", '{"a":"e\u0301"}', '{"a":"é"}', "$.a", {}),
    ("application/json", '{"a":"x "}', '{"a":"x"}', "$.a", {}),
    ("application/json", '{"a":"2026-01-01T00:00:00Z"}', '{"a":"2026-01-01T00:00:00+01:00"}', "$.a", {}),
    ("application/json", '{"a":1.00}', '{"a":1.0}', "$.a", {"rules": [{"path": "$.a", "number": "strict", "reason": "scale"}]}),
    ("application/json", '{"a":100}', '{"a":100}', "$.a", {"rules": [{"path": "$.a", "minor_unit": {"legacy": 2}, "reason": "cents"}]}),
    ("application/json", '{"a":1.00}', '{"a":1.02}', "$.a", {"rules": [{"path": "$.a", "tolerance": 0.01, "reason": "cent"}]}),
    ("application/json", '{"a":"A"}', '{"a":"CLOSED"}', "$.a", {"rules": [{"path": "$.a", "codes": {"A": "ACTIVE"}, "reason": "code"}]}),
    ("application/json", '{"a":"ACTIVE"}', '{"a":"A"}', "$.a", {"rules": [{"path": "$.a", "codes": {"A": "ACTIVE"}, "reason": "code"}]}),
    ("application/json", '{"a":{"b":1}}', '{"a":{"b":2}}', "$.a.b", {"ignore": ["$"], "protect": ["$.a.b"]}),
    ("application/json", '{"a":{"b":1}}', "{}", "$.a", {"ignore": ["$.a"], "protect": ["$..b"]}),
    ("application/json", '{"a":1.00}', '{"a":1.01}', "$.a",
     {"rules": [{"path": "$.a", "tolerance": 1, "reason": "protected"}], "protect": ["$.a"]}),
    ("application/json", '{"a":1}', '{"a":2}', "$.a", {"ignore": [{"path": "$.a", "until": "2020-01-01"}]}),
    ("application/xml", '<a xmlns="urn:1"><b/></a>', '<a xmlns="urn:2"><b/></a>', "$.a.@xmlns", {}),
    ("application/xml", "<a><b/><c/></a>", "<a><c/><b/></a>", "$.a", {}),
    ("application/xml", "<a><b>1</b></a>", "<a><b>1 </b></a>", "$.a.b", {}),
    ("application/xml", "<a><b>1</b></a>", '<a><b x="1">1</b></a>', "$.a.b.@x", {}),
    ("application/xml", "<a>x<b/>y</a>", "<a>xy<b/></a>", "$.a.#text[*]", {}),
    ("application/xml", "<a><b>1</b><b>2</b></a>", "<a><b>2</b><b>1</b></a>", "$.a.b", {}),
    ("application/xml", '<a xmlns:p="urn:1" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="p:T"/>',
     '<a xmlns:p="urn:2" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="p:T"/>',
     "$.a['@{http://www.w3.org/.*", {}),
    ("application/x-www-form-urlencoded", "a=1&a=2", "a=2&a=1", "$.a", {}),
    ("application/x-www-form-urlencoded", "a=1+2", "a=1%2B2", "$.a", {}),
    ("text/csv", "a,b\r\n1,2\r\n", "a,b\r\n1,\"2 \"\r\n", "$[*].b", {}),
    ("text/plain", "a\nb\n", "a\r\nb\r\n", "$[*]", {}),
    ("text/html", "<p>1</p><a href='/x'>y</a>", "<p>1</p><a href='/z'>y</a>", "$[*]", {}),
    ("text/html", "<input name=a value=1>", "<input name=a value=2>", "$[*]", {}),
    ("application/x-ndjson", '{"a":1}\n{"a":2}\n', '{"a":1}\n{"a":3}\n', "$[*].a", {}),
)  # fmt: skip


def subtle(number: int) -> Case:
    """One of the differences that are easily missed."""
    media, control, candidate, path, compare = SUBTLE[number % len(SUBTLE)]
    path = "" if "http" in path else path
    return Case(number, media, "different", control.encode(), candidate.encode(), media, path, compare)


# Differences of the head: other headers of both sides, the candidate's status, and where it is found.
HEADS: tuple[tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], int, str, dict[str, Any]], ...] = (
    ((), (), 201, "status", {}),
    ((("Location", "/a/1"),), (("Location", "/a/2"),), 200, "header:location", {}),
    ((("ETag", "1"),), (("ETag", "2"),), 200, "header:etag", {"headers": ["ETag"]}),
    ((("Set-Cookie", "S=1; Secure; HttpOnly"),), (("Set-Cookie", "S=2; HttpOnly"),), 200, "cookie:S.secure", {}),
    ((("Set-Cookie", "S=1; SameSite=Lax"),), (("Set-Cookie", "S=2; SameSite=None"),), 200, "cookie:S.samesite", {}),
    ((("Set-Cookie", "S=1"),), (), 200, "cookie:S", {}),
    ((("Set-Cookie", "S=1"),), (("Set-Cookie", "S="),), 200, "cookie:S.value", {}),
)


def head(number: int) -> Case:
    """A difference outside the body."""
    ours, theirs, status, path, compare = HEADS[number % len(HEADS)]
    body = b'{"a":1}'
    return Case(number, "head", "different", body, body, "application/json", path, compare, "", (ours, theirs), status)


def different(number: int, chance: random.Random) -> Case:
    """One known difference."""
    if number % 4 == 3:
        return head(number // 12) if number % 12 == 11 else subtle(number // 12 * 2 + (number % 12 == 7))
    kind = KINDS[number % len(KINDS)]
    row = record(chance)
    other = _copy(row)
    path = kind.place(chance.choice(kind.changes)(other, chance))
    case = Case(number, kind.name, "different", kind.write(row), kind.write(other), _media(kind, 0), path)
    if number % 5 == 0:
        name, pack = chance.choice(_encodings())
        case.candidate, case.headers = pack(case.candidate), ((), (("Content-Encoding", name),))
    return case


def equal(number: int, chance: random.Random) -> Case:
    """The same value, the same bytes or not."""
    kind = KINDS[number % len(KINDS)]
    row = record(chance)
    style = number // len(KINDS) % kind.styles
    other = kind.write(_copy(row), style) if style else kind.write(_copy(row))
    case = Case(number, kind.name, "equal", kind.write(row), other, _media(kind, 0), other_media=_media(kind, style))
    if number % 4 == 0:
        name, pack = chance.choice(_encodings())
        case.candidate, case.headers = pack(case.candidate), ((), (("Content-Encoding", name),))
    return case


# Differences that a rule takes for none: a change, and the rule.

REASON = "the corpus says so"


def _rule(path: str, **treatment: Any) -> dict[str, Any]:
    return {"rules": [{"path": path, "reason": REASON, **treatment}]}


def _change(name: str, value: Callable[[Any], Any]) -> Callable[[Row, random.Random], None]:
    def changed(row: Row, _: random.Random) -> None:
        row[name] = value(row[name])

    return changed


def _shuffled(row: Row, chance: random.Random) -> None:
    before = list(row["items"])
    while row["items"] == before:
        chance.shuffle(row["items"])


def _reversed_names(row: Row, _: random.Random) -> None:
    for name in reversed(list(row)):
        row[name] = row.pop(name)


def _dotted(day: str) -> str:
    return ".".join(reversed(day.split("-")))


TREATED: tuple[tuple[str, Callable[[Row, random.Random], None], dict[str, Any]], ...] = (
    ("json", _reversed_names, {}),
    ("json", _change("bal", lambda bal: Decimal(f"{bal}0")), {}),
    ("json", _change("bal", lambda bal: bal + Decimal("0.01")), _rule("$.bal", tolerance=0.01)),
    ("json", _change("bal", lambda bal: bal + Decimal("0.02")), _rule("$.bal", tolerance={"minor_units": 2})),
    ("json", _change("bal", lambda bal: bal * Decimal("1.0009")), _rule("$.bal", tolerance="0.1%")),
    ("json", _change("bal", str), _rule("$.bal", number="text")),
    ("json", _change("bal", lambda bal: int(bal * 100)), _rule("$.bal", minor_unit={"modern": 2})),
    ("json", _change("opened", _dotted), _rule("$.opened", date=["%Y-%m-%d", "%d.%m.%Y"])),
    ("json", _change("holder", str.swapcase), _rule("$.holder", case="any")),
    ("json", _change("holder", lambda text: f"{text}   "), _rule("$.holder", trim=True)),
    ("json", _change("status", lambda code: {"A": "ACTIVE", "B": "BLOCKED"}[code]),
     _rule("$.status", codes={"A": "ACTIVE", "B": "BLOCKED"})),
    ("json", lambda row, _: row.update(note=None), _rule("$.note", null_is_absent=True)),
    ("json", _shuffled, _rule("$.items", order="any")),
    ("json", _shuffled, _rule("$.items", key="ref")),
    ("json", _change("acct", lambda text: text[::-1] + "x"), {"ignore": ["$.acct"]}),
    ("json", _change("ccy", lambda _: "XXX"), {"declared": [
        {"name": "ccy", "path": "$.ccy", "candidate": "XXX", "reason": REASON, "owner": "we", "until": "2999-01-01", "test": "tests"}]}),
    ("xml", _shuffled, _rule("$.account.item", key="ref")),
    ("xml", _shuffled, _rule("$.account.item[*]", order="any")),
    ("xml", _change("holder", lambda text: f" {text}"), _rule("$.account.holder", trim=True)),
    ("xml", _change("status", lambda _: "Z"), {"ignore": ["$.account['@status']"]}),
    ("form", _change("holder", str.swapcase), _rule("$.holder", case="any")),
    ("multipart", _shuffled, _rule("$.doc.content.items", key=["ref", "cnt"])),
    ("fixed", _change("ccy", lambda code: {"EUR": "978", "CHF": "756", "USD": "840"}[code]),
     _rule("$.CCY", codes={"EUR": "978", "CHF": "756", "USD": "840"})),
    ("csv", _shuffled, _rule("$", key="ref")),
    ("html", lambda _, __: None, {}),
    ("text", lambda _, __: None, {"lines": {"ignore": ["^Printed at "]}}),
)  # fmt: skip


def equivalent(number: int, chance: random.Random) -> Case:
    """A difference that a rule takes for none."""
    name, change, compare = TREATED[number % len(TREATED)]
    kind, row = BY_NAME[name], record(chance)
    if change is _shuffled or name in ("json", "fixed"):
        row["bal"] = row["bal"] or Decimal("1.00")
    other = _copy(row)
    change(other, chance)
    write = {"html": partial(as_html, style=1), "text": partial(as_text, printed="later")}.get(name, kind.write)
    return Case(number, name, "equivalent", kind.write(row), write(other), _media(kind, 0), compare=compare)


def corpus(seed: int, count: int) -> Iterator[Case]:
    """`count` pairs that differ, `count` that are equivalent, `count` that are equal."""
    for make in (different, equivalent, equal):
        chance = random.Random(f"{seed} {make.__name__}")
        for number in range(count):
            yield make(number, chance)

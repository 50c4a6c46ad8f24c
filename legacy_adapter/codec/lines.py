"""A file of fixed-length records as JSON lines, and back.

A line is one object: the record's fields, and `$findings` and `$residue` where there are any. Bytes are shown as
{"$hex": "40.."}.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from config.errors import StranglerError
from legacy_adapter.codec.copybook import parse_copybook
from legacy_adapter.codec.layout import Layout
from legacy_adapter.codec.record import CODEPAGE, EncodeRefused, check_codepage, decode, encode

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(dict[str, object], float_hook=Decimal)


class LineRefused(StranglerError):
    """A line that is not one record as `lines` writes it."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, what)
        self.number, self.what = number, what

    @property
    def sentence(self) -> str:
        """The number of the line and what is wrong with it."""
        return f"Line {self.number} cannot be encoded: {self.what}"


def lines(copybook_path: Path, data_path: Path, codepage: str = CODEPAGE) -> Iterator[str]:
    """One JSON line a record of the file; a last record that is too short is a line with a finding."""
    layout = parse_copybook(copybook_path.read_text("utf-8", "replace"))
    check_codepage(codepage)
    with data_path.open("rb") as file:
        while data := file.read(layout.length):
            yield line_of(layout, data, codepage)


def line_of(layout: Layout, data: bytes, codepage: str = CODEPAGE) -> str:
    """One record as one JSON line."""
    record = decode(layout, data, codepage)
    shown: dict[str, object] = dict(record.values)
    if record.findings:
        shown["$findings"] = [{"offset": f.offset, "field": f.field, "what": f.what} for f in record.findings]
    if record.residue:
        shown["$residue"] = {path: raw.hex() for path, raw in record.residue.items()}
    return _encoder.encode(_hexed(shown)).decode()


def encode_lines(copybook_path: Path, lines_path: Path, codepage: str = CODEPAGE) -> Iterator[bytes]:
    """The records of a file of JSON lines, as `lines` writes them or written by hand; raises LineRefused."""
    layout = parse_copybook(copybook_path.read_text("utf-8", "replace"))
    check_codepage(codepage)
    with lines_path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _record_of(layout, line, number, codepage)


def _record_of(layout: Layout, line: bytes, number: int, codepage: str) -> bytes:
    try:
        values = _decoder.decode(line)
        values.pop("$findings", None)
        residue = _bytes_by_path(values.pop("$residue", {}))
        return encode(layout, {name: _unhexed(value) for name, value in values.items()}, codepage, residue)
    except (msgspec.MsgspecError, EncodeRefused, RecursionError, ValueError) as problem:
        raise LineRefused(number, str(problem)) from problem


def _hexed(value: object) -> object:
    if isinstance(value, bytes):
        return {"$hex": value.hex()}
    if isinstance(value, dict):
        return {name: _hexed(each) for name, each in value.items()}
    return [_hexed(each) for each in value] if isinstance(value, list) else value


def _unhexed(value: object) -> object:
    if isinstance(value, dict):
        if value.keys() == {"$hex"}:
            return bytes.fromhex(str(value["$hex"]))
        return {name: _unhexed(each) for name, each in value.items()}
    return [_unhexed(each) for each in value] if isinstance(value, list) else value


def _bytes_by_path(residue: object) -> Mapping[str, bytes]:
    return {str(path): bytes.fromhex(str(raw)) for path, raw in residue.items()} if isinstance(residue, dict) else {}

"""Fixed-width records by copybook: parse a layout, decode bytes to exact values, encode them back."""

from legacy_adapter.codec.copybook import CopybookRefused, parse_copybook
from legacy_adapter.codec.layout import Layout
from legacy_adapter.codec.lines import encode_lines, lines
from legacy_adapter.codec.record import CodepageUnknown, EncodeRefused, Finding, Record, decode, encode

__all__ = [
    "CodepageUnknown",
    "CopybookRefused",
    "EncodeRefused",
    "Finding",
    "Layout",
    "Record",
    "decode",
    "encode",
    "encode_lines",
    "lines",
    "parse_copybook",
]

"""Bytes to a JSON tree without losing anything: exact decimals, duplicate names found, depth and size bounded.

A tree is dict, list, str, int, Decimal, bool or None. Numbers with a fraction or an exponent are Decimal and never
float, so 90071992547409.93 is not 90071992547409.94.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

from shadow.markup import Element

BODY_BYTES_MAX = 8 << 20

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_sorting_encoder = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_A_NUMBER = re.compile(rb"NaN|Infinity")


class Unreadable(msgspec.Struct, frozen=True):
    """A body that has no tree, and why; the reason is one of a few words and never a part of the body."""

    reason: str


class Document(msgspec.Struct, frozen=True):
    """A tree, and for JSON the same as compact JSON: member order and number scale kept, white space and escapes gone.
    `notes` says what reading let pass, such as line ends that a rule says do not matter."""

    tree: Any
    compact: bytes = b""
    is_markup: bool = False
    notes: frozenset[str] = frozenset()


def read_json(body: bytes) -> Document | Unreadable:
    """The tree of a JSON body; unreadable if malformed, too deep, too large or with a name twice in one object."""
    if len(body) > BODY_BYTES_MAX:
        return Unreadable("too_large")
    try:
        tree = _decoder.decode(body)
        compact = _encoder.encode(tree)
    except UnicodeDecodeError:
        return Unreadable("invalid_utf8")
    except msgspec.DecodeError:
        return Unreadable("not_a_number" if _NOT_A_NUMBER.search(_STRINGS.sub(b"", body)) else "malformed_json")
    except RecursionError:
        return Unreadable("too_deep")
    except (ArithmeticError, ValueError):
        return Unreadable("number_out_of_range")
    if body != compact and _loses_members(body, compact):
        return Unreadable("duplicate_keys")
    return Document(tree, compact)


def _loses_members(body: bytes, compact: bytes) -> bool:
    # A colon is between a name and its value, or inside a string, and strings keep theirs unless they are escaped:
    # so where there is no escape, equal counts prove that no member fell to a later one of the same name.
    if b"\\" not in body:
        return body.count(b":") != compact.count(b":") and _members(body) != _members(compact)
    return _members(body) != _members(compact)


def _members(text: bytes) -> int:
    return _STRINGS.sub(b"", text).count(b":")


def canonical(tree: Any) -> bytes:
    """The tree as bytes that are equal for equal values: names sorted, numbers without their scale."""
    return _sorting_encoder.encode(_without_scale(tree))


def _without_scale(tree: Any) -> Any:
    if isinstance(tree, Element):
        return {"#order": list(tree.order), **{name: _without_scale(value) for name, value in tree.items()}}
    if isinstance(tree, dict):
        return {name: _without_scale(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_without_scale(value) for value in tree]
    if isinstance(tree, int) and not isinstance(tree, bool):
        return without_trailing_zeros(Decimal(tree))
    return without_trailing_zeros(tree) if isinstance(tree, Decimal) else tree


def without_trailing_zeros(number: Decimal) -> Decimal:
    """The same number with the fewest digits. (Decimal.normalize would round it to the context's precision.)"""
    if not number:
        return Decimal(0)
    sign, digits, exponent = number.as_tuple()
    end = len(digits)
    while digits[end - 1] == 0:
        end -= 1
    return Decimal((sign, digits[:end], int(exponent) + len(digits) - end))

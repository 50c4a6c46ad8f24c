"""Packed decimal (COMP-3): two digits a byte, the sign in the last half byte."""

from decimal import Decimal

from legacy_adapter.codec.number import UnreadableError, digits_of, scaled

# IBM z/Architecture Principles of Operation, decimal instructions: A, C, E, F are plus, B and D are minus.
_PLUS, _MINUS = "acef", "bd"


def packed_length(digits: int) -> int:
    """Bytes of a COMP-3 field of so many digits."""
    return digits // 2 + 1


def unpack(data: bytes, digits: int, scale: int, *, signed: bool) -> Decimal:
    """The decimal in `data`; UnreadableError names the half byte that is not what it must be."""
    nibbles = data.hex()
    body, sign = nibbles[:-1], nibbles[-1]
    if not body.isdecimal():
        at = next(i for i, nibble in enumerate(body) if not nibble.isdecimal())
        raise UnreadableError(f"half byte {at + 1} is {body[at].upper()}, which is no digit")
    if sign not in _PLUS + _MINUS:
        raise UnreadableError(f"the sign half byte is {sign.upper()}")
    if sign in _MINUS and not signed:
        raise UnreadableError("is negative and the field has no sign")
    if body[: len(body) - digits].strip("0"):
        raise UnreadableError(f"has more than {digits} digits")
    return scaled(body, scale, negative=sign in _MINUS)


def pack(value: object, digits: int, scale: int, *, signed: bool) -> bytes:
    """The preferred form: C plus and D minus, F in a field without sign. UnwritableError if it does not fit."""
    text, negative = digits_of(value, digits, scale, signed=signed)
    sign = ("d" if negative else "c") if signed else "f"
    return bytes.fromhex((text + sign).rjust(packed_length(digits) * 2, "0"))

"""Binary numbers (COMP): two's complement, big-endian, in two, four or eight bytes."""

from decimal import Decimal

from legacy_adapter.codec.number import UnreadableError, digits_of, scaled


def binary_length(digits: int) -> int:
    """Bytes of a COMP field of so many digits (Enterprise COBOL Language Reference, USAGE clause)."""
    return next(length for most, length in ((4, 2), (9, 4), (18, 8)) if digits <= most)


def from_binary(data: bytes, digits: int, scale: int, *, signed: bool) -> Decimal:
    """The decimal in `data`; UnreadableError where it has more digits than the picture."""
    number = int.from_bytes(data, "big", signed=signed)
    text = str(abs(number))
    if len(text) > digits:
        raise UnreadableError(f"has more than {digits} digits")
    return scaled(text, scale, negative=number < 0)


def to_binary(value: object, digits: int, scale: int, *, signed: bool) -> bytes:
    """The bytes of `value`; UnwritableError if it does not fit."""
    text, negative = digits_of(value, digits, scale, signed=signed)
    return (-int(text) if negative else int(text)).to_bytes(binary_length(digits), "big", signed=signed)

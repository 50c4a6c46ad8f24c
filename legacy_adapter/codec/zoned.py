"""Zoned decimal (DISPLAY): a digit a byte, the sign beside them or in the zone of the first or last one."""

from dataclasses import dataclass
from decimal import Decimal

from legacy_adapter.codec.number import UnreadableError, UnwritableError, digits_of, scaled

_PLUS, _MINUS = "acef", "bd"


@dataclass(frozen=True)
class Sign:
    """Where a signed DISPLAY number keeps its sign; COBOL's default is over the last digit."""

    leading: bool = False
    separate: bool = False


def from_zoned(data: bytes, scale: int, sign: Sign | None, codepage: str) -> Decimal:
    """The decimal in `data` (sign None: unsigned); UnreadableError names the byte that is not what it must be."""
    if sign is None:
        return scaled(_digits(data, codepage), scale, negative=False)
    if sign.separate:
        digits, mark = (data[1:], data[:1]) if sign.leading else (data[:-1], data[-1:])
        text = mark.decode(codepage, "replace")
        if text not in ("+", "-"):
            raise UnreadableError(f"the separate sign is X'{mark.hex().upper()}'")
        return scaled(_digits(digits, codepage), scale, negative=text == "-")
    if not _is_ebcdic(codepage):
        raise UnreadableError(_no_overpunch(codepage))
    at = 0 if sign.leading else len(data) - 1
    zone = f"{data[at]:02x}"[0]
    if zone not in _PLUS + _MINUS:
        raise UnreadableError(f"the sign over byte {at + 1} is X'{data[at]:02X}'")
    plain = bytearray(data)
    plain[at] |= 0xF0
    return scaled(_digits(bytes(plain), codepage), scale, negative=zone in _MINUS)


def to_zoned(value: object, digits: int, scale: int, sign: Sign | None, codepage: str) -> bytes:
    """The preferred form: zone C plus and D minus, F without sign. UnwritableError if it does not fit."""
    text, negative = digits_of(value, digits, scale, signed=sign is not None)
    data = text.encode(codepage)
    if sign is None:
        return data
    if sign.separate:
        mark = ("-" if negative else "+").encode(codepage)
        return mark + data if sign.leading else data + mark
    if not _is_ebcdic(codepage):
        raise UnwritableError(_no_overpunch(codepage))
    at = 0 if sign.leading else len(data) - 1
    zoned = bytearray(data)
    zoned[at] = (0xD0 if negative else 0xC0) | (zoned[at] & 0x0F)
    return bytes(zoned)


def _digits(data: bytes, codepage: str) -> str:
    zero = "0".encode(codepage)[0]
    for at, byte in enumerate(data):
        if not zero <= byte <= zero + 9:
            raise UnreadableError(f"byte {at + 1} is X'{byte:02X}', which is no digit")
    return "".join(str(byte - zero) for byte in data)


def _is_ebcdic(codepage: str) -> bool:
    return "0".encode(codepage) == b"\xf0"


def _no_overpunch(codepage: str) -> str:
    # Compilers disagree about the characters, so to read one would be a guess.
    return f"a sign over a digit has no agreed form in code page {codepage}; use SIGN SEPARATE"

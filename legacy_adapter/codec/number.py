"""Exact decimals as digits and a sign: what every numeric field shares, however its bytes look."""

from decimal import Decimal


class UnreadableError(Exception):
    """These bytes are no value of this field; the text says why. Caught by the record, where it becomes a finding."""


class UnwritableError(Exception):
    """This value does not fit this field; the text says why. Caught by the record, which names the field."""


def scaled(digits: str, scale: int, *, negative: bool) -> Decimal:
    """The decimal of a run of digits with the point `scale` places from the right, whatever the context's precision."""
    value = Decimal(f"{digits}E-{scale}")
    return value.copy_negate() if negative and value else value


def digits_of(value: object, digits: int, scale: int, *, signed: bool) -> tuple[str, bool]:
    """Exactly `digits` digits of `value` and whether it is negative; UnwritableError if anything would be lost."""
    exact = _decimal(value)
    sign, coefficient, exponent = exact.as_tuple()
    if not isinstance(exponent, int):
        raise UnwritableError("is not a finite number")
    text = "".join(map(str, coefficient))
    shift = exponent + scale
    if shift < 0:
        if text[shift:].strip("0"):
            raise UnwritableError(f"has more than {scale} decimal places")
        text = text[:shift]
    else:
        text += "0" * min(shift, digits + 1)
    text = text.lstrip("0").rjust(digits, "0")
    if len(text) > digits:
        raise UnwritableError(f"has more than {digits - scale} digits before the point")
    negative = bool(sign) and bool(exact)
    if negative and not signed:
        raise UnwritableError("is negative and the field has no sign")
    return text, negative


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise UnwritableError(f"is not an exact number but {type(value).__name__}")
    return Decimal(value)

"""What in a text says something about a person or lets somebody in: card numbers, IBANs, e-mails, tokens.

Each find becomes a keyed token in its place, so that equality survives and the text around it stays readable. Escapes
are taken off first (percent, character references, base64), so that nothing hides behind its spelling.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote_plus

Token = Callable[[bytes], str]

CARD_DIGITS_MIN, CARD_DIGITS_MAX, IBAN_CHARACTERS_MIN, IBAN_CHARACTERS_MAX = 13, 19, 15, 34
TEXT_CHARACTERS_MAX = 1 << 20
LAYERS_MAX = 3

# A point between digits is that of an amount, unless the groups are those of a card.
_DIGITS = re.compile(
    r"(?<![0-9])(?:[0-9](?:[ -]?[0-9]){12,40}|[0-9]{4}(?:\.[0-9]{4}){2}(?:\.[0-9]{1,7}){1,2})(?![0-9])"
)
_AMOUNT = re.compile(r"[+-]?[0-9]{1,17}\.[0-9]{1,8}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
# In any case of letters, because a media type is kept in small ones; no header of a JWT is shorter than 17 characters.
_JWT = re.compile(r"(?i:eyj)[A-Za-z0-9_-]{14,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?")
_OPAQUE = re.compile(r"(?<![A-Za-z0-9_-])(?=[A-Za-z_-]*[0-9])(?=[0-9_-]*[A-Za-z])[A-Za-z0-9_-]{24,}(?![A-Za-z0-9_-])")
_BEARER = re.compile(r"(?i)\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}(?![A-Za-z0-9+/_=-])")
_REFERENCE = re.compile(r"&#(?:[0-9]{1,7}|[xX][0-9A-Fa-f]{1,6});")
_ESCAPED = re.compile(r"\\u(00[0-9A-Fa-f]{2})")
_HAS_ESCAPES = re.compile(r"%[0-9A-Fa-f]{2}|&#|\\u00")


def is_card_number(text: str) -> bool:
    """Whether the text is a card number: 13 to 19 digits, spaces, dots or hyphens between, with a right Luhn digit."""
    if len(text) < CARD_DIGITS_MIN:
        return False
    digits = _compact(text)
    if not (CARD_DIGITS_MIN <= len(digits) <= CARD_DIGITS_MAX and digits.isascii() and digits.isdigit()):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the text is an IBAN (ISO 13616): country, check digits, and the remainder 1 by 97."""
    if len(text) < IBAN_CHARACTERS_MIN:
        return False
    compact = _compact(text).upper()
    if not (IBAN_CHARACTERS_MIN <= len(compact) <= IBAN_CHARACTERS_MAX and compact.isascii() and compact.isalnum()):
        return False
    if not (compact[:2].isalpha() and compact[2:4].isdigit()):
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def _compact(text: str) -> str:
    return text.replace(" ", "").replace("-", "").replace(".", "")


def masked(text: str, token: Token) -> str:
    """The text with a token for each find; escapes are taken off where something was found behind them."""
    if _AMOUNT.fullmatch(text):
        return text
    if len(text) > TEXT_CHARACTERS_MAX:
        return f"text({len(text)}) ~{token(text.encode('utf-8', 'surrogatepass'))}"
    plain = _once(text, token)
    opened = text
    for _ in range(LAYERS_MAX):
        if not _HAS_ESCAPES.search(opened):
            break
        opened = _opened(opened)
        found = _once(opened, token)
        if found != opened:
            return found
    return plain


def _opened(text: str) -> str:
    without_references = _REFERENCE.sub(lambda found: html.unescape(found[0]), text)
    without_escapes = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), without_references)
    return unquote_plus(without_escapes, errors="replace") if "%" in without_escapes else without_escapes


def _once(text: str, token: Token) -> str:
    if len(text) < 6:
        return text
    for pattern, replace in _FINDERS:
        text = pattern.sub(partial(_replaced, replace, token), text)
    return text


def _replaced(replace: Callable[[str, Token], str], token: Token, found: re.Match[str]) -> str:
    return replace(found[0], token)


def _card(digits: str, token: Token) -> str:
    # A longer run may hold a card number between other digits: every window is looked at.
    compact = _compact(digits)
    lengths = range(CARD_DIGITS_MAX, CARD_DIGITS_MIN - 1, -1)
    if is_card_number(digits):
        return f"PAN~{token(compact.encode())}"
    groups = re.split(r"[ .-]", digits)
    if len(compact) <= CARD_DIGITS_MAX and len(groups) == 1:
        return digits
    windows = (
        "".join(groups[at : at + count]) for at in range(len(groups)) for count in range(1, len(groups) - at + 1)
    )
    if any(len(window) in lengths and is_card_number(window) for window in windows):
        return f"PAN~{token(compact.encode())}"
    return digits


def _iban(text: str, token: Token) -> str:
    parts = re.split(r"([ -])", text)
    for end in range(len(parts), 0, -2):  # words after the IBAN may look like a part of it
        head = "".join(parts[:end])
        if is_iban(head):
            return f"IBAN~{token(_compact(head).upper().encode())}{''.join(parts[end:])}"
    return text


def _email(text: str, token: Token) -> str:
    return f"MAIL~{token(text.lower().encode())}"


def _secret(text: str, token: Token) -> str:
    return f"SECRET~{token(text.encode())}"


def _base64(text: str, token: Token) -> str:
    if len(text) % 4 == 1:
        return text
    try:
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
        inside = raw.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return text
    return _secret(text, token) if _once(inside, token) != inside else text


_FINDERS: tuple[tuple[re.Pattern[str], Callable[[str, Token], str]], ...] = (
    (_JWT, _secret), (_BEARER, _secret), (_EMAIL, _email), (_IBAN, _iban), (_DIGITS, _card), (_BASE64, _base64),
    (_OPAQUE, _secret),
)  # fmt: skip

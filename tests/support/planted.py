"""Card numbers, IBANs, e-mails and tokens to plant, and the places of a request and an answer where they may stand."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from urllib.parse import quote

BANKS = {"DE": 18, "GB": 18, "CH": 17, "NL": 14, "FR": 23}


def card_number(chance: random.Random, length: int = 16) -> str:
    """Digits with a right Luhn digit."""
    digits = [chance.choice("3456")] + [chance.choice(string.digits) for _ in range(length - 2)]
    total = sum(
        sum(divmod(2 * int(digit), 10)) if at % 2 == 0 else int(digit) for at, digit in enumerate(reversed(digits))
    )
    return "".join(digits) + str(-total % 10)


def iban(chance: random.Random) -> str:
    """A country, right check digits, and an account."""
    country = chance.choice(sorted(BANKS))
    account = "".join(chance.choice(string.digits) for _ in range(BANKS[country]))
    value = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
    return f"{country}{98 - value % 97:02d}{account}"


def email(chance: random.Random) -> str:
    """An address."""
    name = "".join(chance.choice(string.ascii_lowercase) for _ in range(8))
    return f"{name}.{chance.randrange(10**4)}@mail-{name[:4]}.example"


def token(chance: random.Random) -> str:
    """What lets somebody in: a JWT, or a long random text."""
    alphabet = string.ascii_letters + string.digits
    if chance.random() < 0.5:
        return "t0K" + "".join(chance.choice(alphabet) for _ in range(29))
    parts = ["".join(chance.choice(alphabet) for _ in range(20)) for _ in range(2)]
    return ".".join(["eyJhbGciOiJIUzI1NiJ9", *parts])


MAKERS: tuple[Callable[[random.Random], str], ...] = (
    lambda chance: card_number(chance, chance.randrange(13, 20)), iban, email, token,
)  # fmt: skip


def escaped(text: str) -> str:
    """A JSON text in which every character is an escape."""
    return '"' + "".join(f"\\u{ord(character):04x}" for character in text) + '"'


BODIES: tuple[tuple[str, Callable[[str, int], str]], ...] = (
    ("application/json", lambda secret, n: json.dumps({"n": n, "deep": [{"v": secret}]})),
    ("application/json", lambda secret, n: f'{{"n":{n},"v":{escaped(secret)}}}'),
    ("application/json", lambda secret, n: json.dumps({"n": n, secret: 1})),
    ("application/json", lambda secret, n: json.dumps({"n": n, "v": f"paid with {secret}."})),
    ("application/json", lambda secret, n: json.dumps({"n": n, "v": base64.b64encode(secret.encode()).decode()})),
    ("application/json", lambda secret, n: f'{{"n":{n},"v":{secret if secret.isdigit() else json.dumps(secret)}}}'),
    ("application/soap+xml", lambda secret, n: f'<a n="{n}"><v x="{secret}">{secret}</v></a>'),
    ("text/xml", lambda secret, n: f"<a><n>{n}</n><v>{''.join(f'&#{ord(c)};' for c in secret)}</v></a>"),
    ("application/x-www-form-urlencoded", lambda secret, n: f"n={n}&v={quote(secret, safe='')}"),
    ("text/plain", lambda secret, n: f"number {n}\nvalue {secret}\n"),
    ("text/csv", lambda secret, n: f"n,v\n{n},{secret}\n"),
    ("text/html", lambda secret, n: f"<p>{n}</p><a href='/x?v={quote(secret)}'>{secret}</a>"),
    ("application/octet-stream", lambda secret, n: f"{n}|{secret}"),
    ("application/json", lambda secret, n: f'{{"n":{n},"v":"{secret}"'),
)  # fmt: skip

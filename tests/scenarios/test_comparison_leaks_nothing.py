"""5,000 planted card numbers, IBANs, addresses and tokens: none is found in anything that the comparison writes."""

from __future__ import annotations

import io
import json
import random
import re
import string
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import msgspec
import pytest

from config.comparing import Compare
from config.model import Gates
from config.reader import parse_routes
from gateway.mirroring.judging import Judge, keeper_of
from shadow.exports import as_csv, junit
from shadow.gate import evidence_of, judge
from shadow.html import html
from shadow.observation import Observation, Pair
from shadow.redact import Redactor
from shadow.report import terminal
from shadow.sensitive import masked
from shadow.store import Store
from shadow.summary import summary_json
from shadow.vault import Vault, vault_of
from tests.support.planted import BODIES, MAKERS
from tests.support.screen import printed

SEED, PLANTED, SHORTEST = 5, 5_000, 13
# As many routes as it takes for every pair to be kept, and not a sample of them.
ROUTE_NAMES = ("a", "b", "c", "d", "e")
ROUTES = """
version: 1
upstreams: {monolith: {url: "http://127.0.0.1:1"}, ledger: {url: "http://127.0.0.1:2"}}
capabilities: {accounts: {legacy: monolith, modern: ledger, stage: shadow, shadow: {keep: 1000}}}
routes:
""" + "".join(
    f'- {{match: "GET /{name}", name: {name}, capability: accounts, compare: {{ignore: ["$.gone"], headers: [X-Ref]}}}}\n'
    for name in ROUTE_NAMES
)
KEYS = {"STRANGLER_SAMPLE_KEYS": "a:" + "QUFB" * 10 + "QUE="}


def planted() -> Iterator[tuple[str, Pair]]:
    """Each secret in the answers of one pair: in the body, and in a header, a cookie, a type or not at all."""
    chance = random.Random(SEED)
    for number in range(PLANTED):
        secret = MAKERS[number % len(MAKERS)](chance)
        media, write = BODIES[number // len(MAKERS) % len(BODIES)]
        head = [
            (), (("Location", f"/pay?v={secret}"),), (("X-Ref", secret),), (("Set-Cookie", f"{secret}={secret}; Path=/{secret}"),),
            (("Content-Disposition", f'attachment; filename="{secret}"'),),
        ][number // 7 % 5]  # fmt: skip
        media = f"{secret}/x" if number % 97 == 0 else media

        both = [
            Observation(
                200, (("Content-Type", media), *more, ("X-Other", secret)), write(secret, n).encode(), 0.01, side
            )
            for side, n, more in (("legacy", number, head), ("modern", number + 1, ()))
        ]
        yield (
            secret,
            Pair(
                ROUTE_NAMES[number % 5],
                "accounts",
                f"k{number}",
                "GET",
                *both,
                candidate_first=False,
                stage="shadow",
                at=1000.0 + number,
            ),
        )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Everything that a comparison of such pairs leaves: the store, what can be opened of it, every report, the log."""
    folder = tmp_path_factory.mktemp("leaks")
    secrets: list[str] = []
    log = io.StringIO()
    with redirect_stdout(log), redirect_stderr(log):
        judge_of = Judge(parse_routes(ROUTES.encode(), folder / "routes.yaml", {}))
        store = Store(folder / "shadow.db", keeper=keeper_of(judge_of, KEYS))
        batch = []
        for secret, pair in planted():
            secrets.append(secret)
            batch.append(judge_of.judge(pair))
        for start in range(0, len(batch), 1000):
            store.record(batch[start : start + 1000])
        summary = store.summary("accounts")
        vault = vault_of(KEYS)
        assert isinstance(vault, Vault)
        kept, _ = store.kept("accounts", vault)
        store.close()
    verdict = judge(evidence_of(summary), Gates())
    assert summary.accounting.compared == PLANTED
    assert len(kept) == PLANTED
    reports = {
        "log.txt": log.getvalue(), "report.html": html(summary, verdict), "report.csv": as_csv(summary),
        "report.xml": junit(summary, verdict), "report.txt": printed(terminal(summary, verdict)),
        "report.json": json.dumps(summary_json(summary)),
        "opened.json": "\n".join(msgspec.json.encode(one.snapshot).decode() for one in kept if one),
    }  # fmt: skip
    for name, text in reports.items():
        (folder / name).write_text(text)
    return folder, secrets


def found_in(everything: str, secrets: list[str]) -> list[str]:
    """The secrets that stand anywhere in the text, in capitals or not: whoever's first characters do is looked for."""
    windows = {
        run[at : at + SHORTEST]
        for run in set(re.findall(r"[a-z0-9@._-]{13,}", everything))
        for at in range(len(run) - SHORTEST + 1)
    }
    return [secret for secret in secrets if secret.lower()[:SHORTEST] in windows and secret.lower() in everything]


def test_no_planted_secret_is_found_in_anything_that_was_written(written: tuple[Path, list[str]]) -> None:
    folder, secrets = written
    everything = b"\n".join(path.read_bytes() for path in sorted(folder.iterdir())).decode("latin-1").lower()
    found = found_in(everything, secrets)
    sys.stdout.write(f"\nplanted {len(secrets):,}, found afterwards {len(found)}, in {len(everything):,} bytes\n")
    assert found == []


def test_hardly_any_other_number_is_taken_for_a_secret() -> None:
    chance, alarms = random.Random(SEED), 0
    redactor = Redactor(b"a key for tests only")
    runs = ["".join(chance.choice(string.digits) for _ in range(chance.randrange(1, 13))) for _ in range(3_000)]
    runs += [f"{chance.randrange(10**9)}.{chance.randrange(100):02d}" for _ in range(1_000)]
    runs += [
        f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}T10:00:00.{chance.randrange(10**6):06d}Z"
        for _ in range(1_000)
    ]
    for run in runs:
        alarms += redactor.text(f"ref {run}, booked") != f"ref {run}, booked"
    sys.stdout.write(f"\n{alarms} false alarms on {len(runs):,} other runs of digits\n")
    assert alarms < len(runs) / 100


def test_a_scan_finds_what_is_not_hidden() -> None:
    # The scan above is worth something only if it would see a secret: this one is in clear.
    secret, pair = next(planted())
    assert secret.encode() in pair.control.body
    assert found_in(f"value={pair.control.body.decode().lower()};", [secret, "1" * SHORTEST]) == [secret]
    assert masked(secret, lambda _: "x") != secret
    assert Compare().redact == ()

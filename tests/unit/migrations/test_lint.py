from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from migrations import lint as lints
from migrations.environment import configuration, known_services, revisions
from migrations.lint import Finding, lint, look_at, render
from tests.support.pages import code, page, table
from tests.support.revision_corpus import BAD, GOOD, Sample

HERE = Path("0001_sample.py")


def found_in(sample: Sample) -> list[Finding]:
    return list(look_at(f"BEGIN;\n{sample.sql};\nCOMMIT;\n", "sample", HERE, sample.branch))


@pytest.mark.parametrize("service", known_services())
def test_the_revisions_pass(service: str) -> None:
    report = lint(service)
    assert report.findings == ()
    assert all(len(one.reason) > 30 for one in report.suppressed)


def test_fifty_bad_revisions_are_found_and_twenty_good_ones_are_not() -> None:
    rows, missed, alarms = [], [], []
    for sample in BAD:
        rules = [finding.rule for finding in found_in(sample)]
        others = sorted(set(rules) - {sample.rule})
        rows.append((code(sample.sql.replace("\n", " ")), sample.branch, code(sample.rule), ", ".join(others)))
        missed += [sample.sql] if sample.rule not in rules else []
    for sample in GOOD:
        alarms += [(sample.sql, finding.rule) for finding in found_in(sample) if finding.severity == "error"]
    sys.stdout.write(f"recall {len(BAD) - len(missed)}/{len(BAD)}, false alarms {len(alarms)}/{len(GOOD)}\n")
    assert (len(BAD), len(GOOD)) == (50, 20)
    assert (missed, alarms) == ([], [])
    good = "\n".join(f"- `{sample.sql}` ({sample.branch})".replace("\n", " ") for sample in GOOD)
    page(
        "lint.md",
        f"""# What `strangler migrate lint` finds

Made by `tests/unit/migrations/test_lint.py`, from `tests/support/revision_corpus.py`: of {len(BAD)} bad revisions
{len(BAD) - len(missed)} are found by the rule that they break, and of {len(GOOD)} good ones {len(alarms)} raise an error.
A rule depends on the phase: what expand may not do, contract may.

{table(("bad revision", "branch", "found by", "and by"), rows)}
Good ones:

{good}
""",
    )


def test_what_is_done_to_a_table_of_the_same_revision_harms_nobody() -> None:
    made = "CREATE TABLE public.t (id bigint PRIMARY KEY);\n"
    update = "UPDATE public.t SET id = 1"
    assert found_in(Sample(made + update)) == []
    assert [finding.rule for finding in found_in(Sample(update))] == ["unbatched-write"]


def test_strings_and_comments_are_no_statements() -> None:
    sample = Sample("-- TRUNCATE public.x;\nCOMMENT ON TABLE public.x IS 'TRUNCATE public.x; DROP TABLE public.y'")
    assert found_in(sample) == []


def test_a_finding_names_the_line_of_its_statement() -> None:
    (finding,) = found_in(Sample("CREATE SEQUENCE public.a;\n\nLOCK TABLE public.x"))
    assert (finding.line, finding.rule) == (4, "lock-table")
    assert str(finding).startswith("0001_sample.py: lock-table (line 4 of its SQL)")


def test_a_suppression_needs_a_reason_and_is_listed() -> None:
    found = found_in(Sample("TRUNCATE public.account"))
    reasoned = lints._sorted_out(
        found, {finding.rule: "a scratch table of the import job" for finding in found}, "r", HERE
    )
    assert reasoned[0] == []
    assert {one.reason for one in reasoned[1]} == {"a scratch table of the import job"}
    bare = lints._sorted_out(found, {"truncate": "because"}, "r", HERE)[0]
    assert {"truncate", "suppression-without-a-reason"} <= {finding.rule for finding in bare}
    (unused,) = lints._sorted_out([], {"truncate": "a scratch table of the import job"}, "r", HERE)[0]
    assert (unused.rule, unused.severity) == ("suppression-of-nothing", "warning")


def test_a_comment_that_hides_findings_from_squawk_is_one_itself() -> None:
    found = found_in(Sample("-- squawk-ignore ban-drop-table\nDROP TABLE public.account"))
    assert "suppression-without-a-reason" in [finding.rule for finding in found]


def test_a_revision_that_asks_the_database_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> str:
        raise AttributeError("scalar")

    monkeypatch.setattr(lints, "render", fails)
    script = SimpleNamespace(path="x.py", revision="r", module=SimpleNamespace())
    ((finding,), _) = lints._of_script("ledger", script, "expand", "18")  # type: ignore[arg-type]
    assert finding.rule == "needs-a-database"


def test_each_revision_is_rendered_alone() -> None:
    second = revisions(configuration("ledger"), "expand")[1]
    rendered = render("ledger", second)
    assert "posting_balances" in rendered
    assert "CREATE TABLE public.posting" not in rendered

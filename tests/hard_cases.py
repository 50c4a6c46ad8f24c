"""The streams' hard cases by version of PostgreSQL: runs their scenarios on each that is here, and prints the matrix.

python -m tests.hard_cases [VERSION...]      versions are Debian's packages, or the embedded one (18)
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

VERSIONS = ("15", "18")
PREFIX = "tests/scenarios/test_stream_"
CARRIES, TYPES, LOSE = "carries_every_change", "carries_every_type", "refuses_to_lose"
BOUNDED, SERVERS, WAITS = "is_bounded", "meets_its_servers", "reverse_waits"
# What is hard, and the tests that show it: file, and the start of the test's name behind test_.
CASES = (
    ("a large value that did not change (TOAST)", CARRIES, "a_large_value_that_did_not_change_stays"),
    ("the same under REPLICA IDENTITY FULL", CARRIES, "a_large_value_under_replica_identity_full"),
    ("a large value that is needed and not in the log", LOSE, "a_row_that_comes_into_the_mapping"),
    ("the key of a row changes", CARRIES, "a_key_changes"),
    ("TRUNCATE", CARRIES, "truncate"),
    ("a row moves out of the mapping's WHERE and back", CARRIES, "a_row_moves_out"),
    ("two rows swap a unique value", CARRIES, "two_rows_swap"),
    ("foreign keys: parents and children in any order", CARRIES, "a_transaction_with_parents"),
    ("random transactions, some rolled back", CARRIES, "random_transactions"),
    ("sub-transactions and savepoints", TYPES, "what_a_savepoint_took_back"),
    ("a transaction larger than memory", BOUNDED, "a_large_transaction"),
    ("the same, cut off in the middle", BOUNDED, "a_transaction_that_was_cut_off"),
    ("the same, with a row that is refused", BOUNDED, "a_part_that_is_refused"),
    ("columns that no mapping reads come and go", CARRIES, "columns_that_no_mapping_reads"),
    ("a mapped column is retyped", LOSE, "a_changed_column_that_a_mapping_reads"),
    ("a mapped column is renamed", LOSE, "a_renamed_column_that_a_mapping_reads"),
    ("a mapped column is dropped", LOSE, "a_dropped_column_that_a_mapping_reads"),
    ("generated and identity columns", TYPES, "identity_and_generated"),
    ("NULL and empty", TYPES, "null_stays_null"),
    ("every built-in type", TYPES, "every_built_in_type"),
    ("enums, composites and arrays of them", TYPES, "types_of_the_users"),
    ("replica identity is taken away", LOSE, "a_replica_identity_that_is_gone"),
    ("the slot is gone", LOSE, "a_slot_that_is_gone"),
    ("the slot was made anew", LOSE, "a_slot_that_was_made_anew"),
    ("the slot was advanced by somebody else", LOSE, "a_slot_that_somebody_else"),
    ("the slot was invalidated", SERVERS, "a_slot_that_was_invalidated"),
    ("the target is from an older backup", LOSE, "a_checkpoint_behind_the_slot"),
    ("the source is from an older backup", SERVERS, "a_source_from_an_older_backup"),
    ("the source failed over (new timeline)", SERVERS, "a_source_that_was_promoted"),
    ("the source is another server", LOSE, "another_source"),
    ("source and target crash and come back", SERVERS, "both_servers_crash"),
    ("disk full on the target", SERVERS, "a_target_without_room"),
    ("disk full on the source", SERVERS, "a_source_without_room"),
    ("two appliers for one stream", LOSE, "a_second_applier"),
    ("a row that the target refuses", LOSE, "a_stopped_stream_goes_on"),
    ("killed at random moments", "exactly_once", "killed_at_random_moments"),
    ("broken connections", "exactly_once", "a_broken_connection"),
    ("nothing goes in circles", WAITS, "nothing_goes_in_circles"),
    ("somebody writes to modern before the cutover", WAITS, "a_write_to_modern"),
    ("source 15, target 18", "between_versions", "both_ways"),
)
_RESULT = re.compile(r"^(\S+)::test_(\w+)(?:\[.*\])? (PASSED|FAILED|ERROR|SKIPPED)")
_WORDS = {"PASSED": "ok", "FAILED": "FAILED", "ERROR": "FAILED", "SKIPPED": "skipped"}


def outcomes(version: str) -> Iterator[tuple[str, str, str]]:
    """File, test and outcome, one after the other as they come."""
    files = sorted({f"{PREFIX}{file}.py" for _, file, _ in CASES})
    environment = {**os.environ, "STRANGLER_TEST_POSTGRES": version, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "pytest", "-vv", "--tb=short", "-rfE", *files]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := _RESULT.match(line):
                yield found[1].removeprefix(PREFIX).removesuffix(".py"), found[2], _WORDS[found[3]]
            elif line.startswith(("E  ", "FAILED", "ERROR")):
                sys.stderr.write(line)


def column(version: str) -> dict[str, str]:
    """Case to outcome on that version; the worst where several tests show a case."""
    found: dict[str, str] = {}
    for file, test, outcome in outcomes(version):
        sys.stderr.write(f"PostgreSQL {version}: {outcome:8} {file}: {test.replace('_', ' ')}\n")
        for case, of, start in CASES:
            if of == file and test.startswith(start) and found.get(case) != "FAILED":
                found[case] = outcome
    return found


def main() -> int:
    versions = sys.argv[1:] or VERSIONS
    columns = {version: column(version) for version in versions}
    sys.stdout.write(f"{'case':50}" + "".join(f"{version:>9}" for version in versions) + "\n")
    for case, _, _ in CASES:
        sys.stdout.write(
            f"{case:50}" + "".join(f"{found.get(case, 'missing'):>9}" for found in columns.values()) + "\n"
        )
    bad = sum(found.get(case, "missing") in {"FAILED", "missing"} for found in columns.values() for case, _, _ in CASES)
    sys.stdout.write(f"{len(CASES)} cases on {len(versions)} versions, {bad} failed or missing\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

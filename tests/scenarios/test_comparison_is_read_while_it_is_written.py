"""One process writes the comparison's file, another reads it; every state that is read adds up."""

import subprocess
import sys
from pathlib import Path

from shadow.accounting import problems
from shadow.store import Store
from tests.support.waiting import wait_until

BATCHES, EVENTS = 40, 50
WRITER = f"""
import sys
from pathlib import Path
from shadow.observation import Dropped, Skipped
from shadow.store import Store
from tests.support.answers import EQUAL, DIFFERENT, pair

store = Store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for batch in range({BATCHES}):
    pairs = [pair({{}}, {{}}, key=f"k{{batch}}-{{n}}", at=1000.0 + batch) for n in range({EVENTS - 2})]
    events = [(one, EQUAL if number else DIFFERENT) for number, one in enumerate(pairs)]
    events += [(Skipped("a", "accounts", "body_too_large"), None), (Dropped("b", "accounts", "queue_full"), None)]
    store.record(events)
store.close()
"""


def test_a_reader_sees_only_whole_batches_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "shadow.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        reader = Store(path)
        writer.stdin.write("go\n")
        writer.stdin.close()
        seen: set[int] = set()

        def has_read_all() -> bool:
            summary = reader.summary("accounts")
            eligible = summary.accounting.eligible
            seen.add(eligible)
            assert eligible % EVENTS == 0
            assert problems(summary.accounting) == ()
            assert summary.keys.distinct == eligible // EVENTS * (EVENTS - 2)
            assert summary.keys.mismatched == eligible // EVENTS
            return eligible == BATCHES * EVENTS

        wait_until(has_read_all, "all batches are read")
        reader.close()
        assert writer.wait(10) == 0
    assert len(seen) > 2, "the reader never read while the writer was writing"

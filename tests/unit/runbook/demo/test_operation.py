from pathlib import Path

import msgspec

from runbook.demo.operation import Operation, read_history

ONE = Operation(kind="transfer", client=3, account="1", reference="r", began=1.5, seconds=0.1, outcome="ok")


def test_a_history_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes((msgspec.json.encode(ONE) + b"\n") * 2)
    assert list(read_history(path)) == [ONE, ONE]


def test_a_line_that_was_cut_off_ends_the_history(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(msgspec.json.encode(ONE) + b"\n" + msgspec.json.encode(ONE)[:20])
    assert list(read_history(path)) == [ONE]

from pathlib import Path

from runbook.demo.cast import Actor, Cast

CAST = Cast((Actor("1", "2", "GBP"),), (("1", "3"),), {"GBP": ("3",)}, {})


def test_a_cast_reads_back_as_it_was_saved(tmp_path: Path) -> None:
    CAST.save(tmp_path / "cast.json")
    assert Cast.load(tmp_path / "cast.json") == CAST

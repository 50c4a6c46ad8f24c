from cdc.exposition import GAUGES, families
from cdc.watch import Look


def test_every_fact_is_labelled_by_its_stream_and_unknown_ones_are_left_out() -> None:
    looks = [
        Look("accounts:forward", "streaming", lag_seconds=0.5, applied_rows=7, wal_held_bytes=9, wal="warn"),
        Look("accounts:reverse", "stopped"),
    ]
    samples = {
        (sample.name, *sample.labels.values()): sample.value for family in families(looks) for sample in family.samples
    }
    assert samples["strangler_stream_lag_seconds", "accounts:forward"] == 0.5
    assert ("strangler_stream_lag_seconds", "accounts:reverse") not in samples
    assert samples["strangler_stream_applied_rows", "accounts:forward"] == 7
    assert samples["strangler_stream_up", "accounts:forward"] == 1
    assert samples["strangler_stream_up", "accounts:reverse"] == 0
    assert samples["strangler_stream_wal_alarm", "accounts:forward", "warn"] == 1
    assert samples["strangler_stream_wal_alarm", "accounts:forward", "page"] == 0


def test_every_gauge_is_a_fact_of_a_look() -> None:
    assert all(hasattr(Look("s", "x"), fact) for _, _, fact in GAUGES)

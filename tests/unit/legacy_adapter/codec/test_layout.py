from legacy_adapter.codec.layout import Field, Layout, Number, Text
from legacy_adapter.codec.zoned import Sign


def test_lengths_by_usage():
    assert Number("comp-3", 13, 2, Sign()).length == 7
    assert Number("comp", 9, 0, None).length == 4
    assert Number("display", 5, 0, Sign(separate=True)).length == 6
    assert Number("display", 5, 0, Sign()).length == 5


def test_walk_gives_groups_before_what_they_hold():
    inner = Field("B", 0, 2, Text(2))
    layout = Layout("R", (Field("A", 0, 2, fields=(inner,), occurs=3), Field("C", 6, 1, Text(1))), 7)
    assert [field.name for field in layout.walk()] == ["A", "B", "C"]
    assert layout.fields[0].size == 6

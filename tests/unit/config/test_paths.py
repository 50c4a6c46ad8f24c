import pytest

from config.paths import Path, PatternInvalid, covers, names, parse_pattern, without_indexes


@pytest.mark.parametrize(
    ("pattern", "path", "is_covered"),
    [
        ("$", ("a",), True),
        ("$.a", ("a",), True),
        ("$.a", ("a", "b", 3), True),
        ("$.a.b", ("a",), False),
        ("$.a", ("b", "a"), False),
        ("$.items[*].amount", ("items", 7, "amount"), True),
        ("$.items[*].amount", ("items", 7, "currency"), False),
        ("$.items[1]", ("items", 1, "x"), True),
        ("$.items[1]", ("items", 2, "x"), False),
        ("$.items[1]", ("items", "1"), False),
        ("$.*.b", ("anything", "b"), True),
        ("$..name", ("name",), True),
        ("$..name", ("a", 0, "b", "name", "first"), True),
        ("$..name", ("a", "names"), False),
        ("$.a..b.c", ("a", "x", "b", "b", "c"), True),
        ("$['odd name'].x", ("odd name", "x"), True),
    ],
)
def test_a_pattern_covers_what_it_names_and_all_below(pattern: str, path: Path, is_covered: bool) -> None:
    assert covers(parse_pattern(pattern), path) is is_covered


@pytest.mark.parametrize("pattern", ["", "a.b", "$.", "$a", "$[", "$[x]", "$.a..", "$['a", "$" + ".a" * 65])
def test_what_is_no_pattern_is_refused_with_its_place(pattern: str) -> None:
    with pytest.raises(PatternInvalid) as caught:
        parse_pattern(pattern)
    assert repr(pattern) in str(caught.value)


def test_a_pattern_names_one_path_and_covers_more() -> None:
    steps = parse_pattern("$.items[*].a")
    assert names(steps, ("items", 3, "a"))
    assert not names(steps, ("items", 3, "a", "b"))
    assert covers(steps, ("items", 3, "a", "b"))


def test_in_markup_indexes_do_not_count() -> None:
    assert without_indexes(parse_pattern("$.item[*].a[2].*")) == parse_pattern("$.item.a.*")

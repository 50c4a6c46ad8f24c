from hypothesis import given
from hypothesis import strategies as st

from shadow.correspondence import ID_CHARACTERS_MAX, TOLD_MAX, Belonging, Correspondence, Met, is_id, told

IDS = st.integers(0, 12) | st.sampled_from(["a", "b", "c", "7"])


def known(*ids: tuple[str | int, str | int], at: float = 1.0) -> Correspondence:
    found = Correspondence()
    found.put(Belonging("transfer", legacy, modern, at) for legacy, modern in ids)
    return found


@given(st.lists(st.tuples(IDS, IDS), max_size=30), st.integers(1, 8))
def test_nobody_ever_has_two_partners_and_both_sides_say_the_same(
    meetings: list[tuple[int | str, int | str]], ids_max: int
) -> None:
    ids = Correspondence(ids_max=ids_max)
    for at, (legacy, modern) in enumerate(meetings):
        before = ids.partner("legacy", "transfer", str(legacy)), ids.partner("modern", "transfer", str(modern))
        meeting = ids.meeting()
        is_partner = meeting.belong("transfer", legacy, modern)
        assert is_partner == (tuple(map(str, before)) in {("None", "None"), (str(modern), str(legacy))})
        ids.put(Belonging(*one, at) for one in meeting.learned)
        assert len(ids) <= ids_max
        for one in ids:
            assert ids.partner("legacy", "transfer", str(one.legacy)) == one.modern
            assert ids.partner("modern", "transfer", str(one.modern)) == one.legacy
        if is_partner:
            assert str(ids.partner("legacy", "transfer", str(legacy))) == str(modern)


def test_a_second_partner_is_none_and_is_not_learned_over() -> None:
    ids = known((4711, "t-9"))
    meeting = ids.meeting()
    assert meeting.belong("transfer", 4711, "t-9")
    assert not meeting.belong("transfer", 4711, "t-8")
    assert not meeting.belong("transfer", 4712, "t-9")
    assert not meeting.belong("transfer", 4711, 4711)
    assert meeting.learned == []
    assert meeting.belong("account", 4711, "t-8"), "an id of something else"


def test_within_one_pair_of_answers_an_id_has_one_partner_too() -> None:
    meeting = known().meeting()
    assert meeting.belong("transfer", 1, "a")
    assert meeting.belong("transfer", 1, "a")
    assert not meeting.belong("transfer", 1, "b")
    assert not meeting.belong("transfer", 2, "a")
    assert meeting.learned == [Met("transfer", 1, "a")]


def test_what_was_learned_too_long_ago_is_forgotten_on_both_sides() -> None:
    ids = Correspondence(seconds=10)
    ids.put([Belonging("transfer", 1, "a", 100.0), Belonging("transfer", 2, "b", 105.0)])
    ids.expire(111.0)
    assert [one.legacy for one in ids] == [2]
    assert ids.partner("modern", "transfer", "a") is None
    ids.put([Belonging("transfer", 1, "c", 111.0)])
    assert ids.partner("legacy", "transfer", "1") == "c"


def test_what_cannot_be_an_id_is_none() -> None:
    assert all(map(is_id, (0, -5, "x", "7" * ID_CHARACTERS_MAX)))
    assert not any(map(is_id, ("", "7" * (ID_CHARACTERS_MAX + 1), True, None, 1.5, "a\nb", "\ud800", 1 << 64, [1])))


def test_everything_is_told_in_pieces_of_which_the_first_voids_what_was_known() -> None:
    ids = known(*((number, f"t-{number}") for number in range(TOLD_MAX + 1)))
    pieces = list(told("accounts", ids))
    assert [(len(piece.ids), piece.is_anew) for piece in pieces] == [(TOLD_MAX, True), (1, False)]
    assert [piece.is_anew for piece in told("accounts", known())] == [True]
    news = list(told("accounts", ids, [Belonging("transfer", 1, "t-1", 1.0)]))
    assert [(len(piece.ids), piece.is_anew) for piece in news] == [(1, False)]

from shadow.shapes import SHAPE_CHARACTERS_MAX, shape_of
from tests.support.answers import answer


def test_an_answer_is_known_by_its_status_type_and_names() -> None:
    assert (
        shape_of(answer({"rc": "00", "items": [{"amt": 1}, {"other": 2}]})) == "200 application/json {items[]{amt} rc}"
    )
    assert shape_of(answer({"msg": "no", "rc": "14"})) == "200 application/json {msg rc}"
    assert shape_of(answer(b"x", headers=(), status=500)) == "500 -"
    assert shape_of(answer(b"", headers=(), status=204)) == "204 - empty"


def test_names_that_are_data_and_depth_are_bounded() -> None:
    assert shape_of(answer({"2000000001": 1, "2000000002": 1})) == "200 application/json {*}"
    assert shape_of(answer({"a": {"b": {"c": {"d": {"e": 1}}}}})) == "200 application/json {a{b{c{d{...}}}}}"
    assert len(shape_of(answer({"n" * 9 + chr(97 + n): {"m" * 30: 1} for n in range(24)}))) <= SHAPE_CHARACTERS_MAX


def test_a_broken_body_is_a_shape_of_its_own() -> None:
    assert shape_of(answer(b"{")) == "200 application/json malformed_json"

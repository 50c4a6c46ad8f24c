import pytest
from pydantic import ValidationError

from config.model import BodyCondition, Canary, Route, Routes, When


def test_every_key_of_the_file_has_a_schema() -> None:
    schema = Routes.model_json_schema()
    assert {"gateway", "databases", "upstreams", "default", "capabilities", "routes"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_a_route_is_named_by_its_match() -> None:
    assert Route(match="GET /x", upstream="u").name == "GET /x"


@pytest.mark.parametrize("homes", [{}, {"capability": "a", "upstream": "b"}])
def test_a_route_has_exactly_one_home(homes: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either a capability or an upstream"):
        Route(match="GET /x", **homes)


@pytest.mark.parametrize("key", ["header", "ip", "cookie:", "x:y"])
def test_a_canary_key_is_of_a_known_kind(key: str) -> None:
    with pytest.raises(ValidationError, match="client"):
        Canary(key=key)


def test_a_body_condition_that_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(ValidationError, match="code page"):
        BodyCondition(offset=0, equals="\u20ac", codepage="cp037")


def test_conditions_are_counted() -> None:
    assert When(host="a", header={"x": "1", "y": "2"}, soap="Op").count == 4

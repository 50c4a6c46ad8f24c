from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.comparing import Rule, Tolerance
from shadow.treatments import instant_of, is_within, normals_of, number_of, same


def brought(value: Any, is_legacy: bool = True, **treatment: Any) -> Any:
    for normal in normals_of(Rule.model_validate({"path": "$.a", "reason": "a test", **treatment})):
        value = normal(value, is_legacy)
    return value


@pytest.mark.parametrize(
    ("treatment", "value", "result"),
    [
        ({"trim": True}, " a ", "a"),
        ({"trim": True}, 1, 1),
        ({"case": "any"}, "STRASSE", "strasse"),
        ({"codes": {"1": "ACTIVE"}}, 1, "ACTIVE"),
        ({"codes": {"1": "ACTIVE"}}, True, True),
        ({"codes": {"1": "ACTIVE"}}, 2, 2),
        ({"number": "text"}, "0010.50", Decimal("10.50")),
        ({"number": "text"}, "1e5", "1e5"),
        ({"minor_unit": {"legacy": 2}}, 1050, Decimal("10.50")),
        ({"minor_unit": {"legacy": 2}}, "1050", Decimal("10.50")),
        ({"date": ["%Y%m%d"]}, 20260102, "2026-01-02"),
        ({"date": ["%Y%m%d"]}, "20261302", "20261302"),
        ({"trim": True, "codes": {"A": "x"}, "case": "any"}, "A ", "x"),
    ],
)
def test_a_treatment_brings_a_value_to_the_shared_form(treatment: dict[str, Any], value: Any, result: Any) -> None:
    found = brought(value, **treatment)
    assert found == result
    assert type(found) is type(result)


def test_a_time_without_a_zone_is_in_the_zone_of_the_rule() -> None:
    assert brought("2026-07-01 12:00:00", time="Europe/Berlin") == instant_of("2026-07-01T10:00:00Z")
    assert brought("2026-07-01T12:00:00.1234567", time="Europe/Berlin") == "2026-07-01T12:00:00.1234567"


def test_a_code_table_is_legacys() -> None:
    assert brought("1", is_legacy=False, codes={"1": "ACTIVE"}) == "1"


AMOUNTS = st.integers(-(10**17), 10**17).map(lambda number: Decimal(number) / 100)


@given(AMOUNTS, st.integers(1, 10**6))
def test_a_tolerance_holds_to_its_last_digit(amount: Decimal, cents: int) -> None:
    tolerance = Tolerance.model_validate({"absolute": Decimal(cents) / 100})
    assert is_within(tolerance, amount, amount + Decimal(cents) / 100)
    assert not is_within(tolerance, amount, amount + Decimal(cents + 1) / 100)
    assert not is_within(tolerance, amount, amount - Decimal(cents) / 100 - Decimal("1e-8"))


@pytest.mark.parametrize(
    ("tolerance", "control", "candidate", "is_inside"),
    [
        ({"relative": "1%"}, 100, 101, True),
        ({"relative": "1%"}, 100, "101.02", False),
        ({"minor_units": 1, "decimals": 0}, 100, 101, True),
        ({"minor_units": 1}, "1.00", "1.01", True),
        ({"absolute": 1}, True, 1, False),
        ({"absolute": 1}, "abc", "abd", False),
        ({"absolute": 1}, Decimal("1e999999"), Decimal(1), False),
    ],
)
def test_what_is_no_number_is_never_near(tolerance: Any, control: Any, candidate: Any, is_inside: bool) -> None:
    assert is_within(Tolerance.model_validate(tolerance), control, candidate) is is_inside


def test_true_is_not_one() -> None:
    assert not same(True, 1)
    assert same(1, Decimal("1.0"))
    assert number_of(True) is None

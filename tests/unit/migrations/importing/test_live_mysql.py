"""The address of a live MySQL: read with its password from the environment, refused where it leads nowhere."""

import pytest

from migrations.importing import live_mysql
from migrations.importing.live_mysql import Address, MysqlNotReadable, address_of


def test_an_address_has_defaults_and_its_escapes_are_undone() -> None:
    found = address_of("mysql://re%40der:p%2Fw@db.example:3307/core%2D1?ssl_ca=/etc/ca.pem", {"MYSQL_PWD": "other"})
    assert found == Address("db.example", 3307, "re@der", "p/w", "core-1", {"ssl_ca": "/etc/ca.pem"})
    assert address_of("mysql:///core", {"USER": "me"}) == Address("127.0.0.1", 3306, "me", "", "core", {})


def test_the_password_may_come_from_the_environment() -> None:
    assert address_of("mariadb://me@h/core", {"MYSQL_PWD": "secret"}).password == "secret"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://me:secret@h", "names no database"),
        ("mysql://me:secret@h:x/core", "is no number"),
        ("mysql://me:secret@h/core?ssl=1", "has an option ssl"),
    ],
)
def test_what_leads_nowhere_is_refused_without_telling_the_address(url: str, problem: str) -> None:
    with pytest.raises(MysqlNotReadable, match=problem) as caught:
        address_of(url, {})
    assert "secret" not in f"{caught.value}{caught.value.hint}"


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_mysql, "find_spec", lambda _: None)
    with pytest.raises(MysqlNotReadable, match="driver is not installed") as caught:
        next(live_mysql.read_statements("mysql://h/core"))
    assert "strangler[mysql]" in caught.value.hint

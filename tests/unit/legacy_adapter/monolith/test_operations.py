from tests.unit.legacy_adapter.monolith.test_accounts import answer


def test_health_says_ok_whatever_happens():
    assert answer("GET", "/health.jsp").text == "OK"


def test_an_unknown_job_has_return_code_12():
    assert answer("POST", "/sys/job/NOPE").json() == {"job": "NOPE", "rc": "12", "msg": "NO SUCH JOB"}


def test_a_database_that_is_away_is_answered_with_200():
    assert answer("GET", "/sys/busdate").json()["rc"] == "96"

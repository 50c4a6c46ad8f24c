from shadow.head_model import head_of, read_cookies
from tests.support.answers import answer


def test_the_head_is_read_whatever_its_case() -> None:
    headers = (("CONTENT-TYPE", 'Application/JSON; x=y; Charset="UTF-8"'), ("Location", " /x "), ("X-Other", "1"))
    head = head_of(answer(b"", headers=headers))
    assert (head.media, head.charset, head.encoding, head.others) == (
        "application/json",
        "utf-8",
        "identity",
        {"location": "/x"},
    )


def test_a_header_that_comes_twice_is_one_list_and_chosen_ones_are_read_too() -> None:
    headers = (("ETag", "1"), ("etag", "2"), ("X-Other", "3"))
    assert head_of(answer(b"", headers=headers)).others == {}
    assert head_of(answer(b"", headers=headers), frozenset({"etag"})).others == {"etag": "1, 2"}


def test_cookies_are_read_by_names_and_attributes_and_never_by_value() -> None:
    lines = ["SID=secret; Path=/; Secure; SameSite=LAX; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "old=; Max-Age=0"]
    assert read_cookies(lines) == {
        "SID": {"value": "set", "path": "/", "secure": "", "samesite": "lax", "expires": "set"},
        "old": {"value": "empty", "max-age": "0"},
    }


def test_a_cookie_that_is_taken_back_is_told_from_one_that_is_set() -> None:
    assert read_cookies(["a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])["a"]["expires"] == "past"

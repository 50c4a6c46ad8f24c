from gateway.subject import subject_of


def test_equal_keys_have_equal_tokens_under_one_secret_and_others_under_another() -> None:
    assert subject_of(b"4711", b"s" * 32) == subject_of(b"4711", b"s" * 32)
    assert subject_of(b"4711", b"s" * 32) != subject_of(b"4712", b"s" * 32)
    assert subject_of(b"4711", b"s" * 32) != subject_of(b"4711", b"t" * 32)

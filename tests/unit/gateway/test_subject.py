from pathlib import Path

from gateway.subject import SECRET_BYTES, known_secret, secret_of, subject_of


def test_equal_keys_have_equal_tokens_under_one_secret_and_others_under_another() -> None:
    assert subject_of(b"4711", b"s" * 32) == subject_of(b"4711", b"s" * 32)
    assert subject_of(b"4711", b"s" * 32) != subject_of(b"4712", b"s" * 32)
    assert subject_of(b"4711", b"s" * 32) != subject_of(b"4711", b"t" * 32)


def test_the_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    assert known_secret(tmp_path, {}) is None
    made = secret_of(tmp_path, {})
    assert secret_of(tmp_path, {}) == known_secret(tmp_path, {}) == made
    assert (tmp_path / "token.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "token.key").write_bytes(b"half")
    assert len(secret_of(tmp_path, {})) == SECRET_BYTES


def test_gateways_with_one_secret_in_the_environment_make_the_same_tokens(tmp_path: Path) -> None:
    environ = {"STRANGLER_REDACTION_KEY": "one for all"}
    assert secret_of(tmp_path / "a", environ) == secret_of(tmp_path / "b", environ) != b"one for all"

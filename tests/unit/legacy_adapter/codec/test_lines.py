import json

import pytest

from legacy_adapter.codec.lines import LineRefused, encode_lines, lines

COPYBOOK = "01 R.\n 05 A PIC X(2).\n 05 B PIC S9(3)V99 COMP-3.\n"


@pytest.fixture
def copybook(tmp_path):
    path = tmp_path / "r.cpy"
    path.write_text(COPYBOOK)
    return path


def written(folder, *shown):
    path = folder / "lines"
    path.write_text("".join(f"{line}\n" for line in shown))
    return path


def test_a_file_becomes_lines_and_comes_back(tmp_path, copybook):
    good = "AB".encode("cp037") + bytes.fromhex("12345D")
    data = good + b"\xc1\x00\x12\x34\x5f" + b"\xc1\xc2\x40\x40\x40" + b"\xc1\xc2" + bytes(3) + b"\xc1"
    path = tmp_path / "data"
    path.write_bytes(data)
    shown = list(lines(copybook, path))
    assert shown[0] == '{"A":"AB","B":-123.45}'
    assert json.loads(shown[1])["$residue"] == {"B": "12345f"}
    assert json.loads(shown[2])["B"] == {"$hex": "404040"}
    assert json.loads(shown[2])["$findings"][0]["offset"] == 2
    assert json.loads(shown[3])["B"] is None
    assert "5" in json.loads(shown[4])["$findings"][0]["what"]
    assert b"".join(encode_lines(copybook, written(tmp_path, *shown))) == data


@pytest.mark.parametrize("line", ["{", "[]", '{"A":"AB"}', '{"A":"AB","B":0.001}', '{"A":{"$hex":"zz"},"B":1}'])
def test_a_line_that_is_no_record_is_refused_by_number(tmp_path, copybook, line):
    with pytest.raises(LineRefused, match="Line 2"):
        list(encode_lines(copybook, written(tmp_path, '{"A":"AB","B":1}', line)))


def test_numbers_do_not_pass_through_floats(tmp_path, copybook):
    assert list(encode_lines(copybook, written(tmp_path, '{"A":"","B":123.10}'))) == [b"\x40\x40\x12\x31\x0c"]

"""A benchmark of one's own: read from JSON lines, all problems at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from dart.core.errors import DataError
from dart.suite.raw import item_id
from dart.suite.sources import read_suite


def _write(path: Path, *lines: Any) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_own_benchmark_is_read_with_defaults(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "own.jsonl",
        {"prompt": "one", "label": "YES"},
        "",
        {"prompt": "two\u2028same line", "label": "NO", "scenario": 5, "id": "b"},
        {"prompt": "three", "label": "NO", "benchmark": "M1"},
        {"prompt": "four", "label": "YES", "benchmark": "M1", "scenario": "s"},
    )
    source = read_suite(str(path), None)
    assert [item_id(item) for item in source.items] == ["own-DIFF-1", "own-EQUAL-3", "M1-EQUAL-4", "M1-DIFF-5"]
    assert [item.scenario for item in source.items] == ["line 1", "5", "line 4", "s"]
    assert source.names == {"M1": "M1", "own": "own"}
    assert source.provenance["source"] == "own.jsonl"
    assert str(tmp_path) not in json.dumps(source.provenance)


def test_all_problems_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "own.jsonl",
        {"prompt": "good", "label": "YES", "id": "a"},
        {"prompt": "good", "label": "NO", "id": "a"},
        {"prompt": "x", "label": "MAYBE"},
        {"prompt": " ", "label": "NO"},
        {"label": "NO"},
        {"prompt": "y", "label": "NO", "benchmark": ""},
        {"prompt": "z", "label": "NO", "lable": "NO"},
        "{broken",
        "[1, 2]",
        '{"prompt": "w", "label": "NO", "label": "YES"}',
        {"prompt": "v", "label": "YES", "benchmark": "M1"},
        "[" * 100_000,
        '{"prompt": "u", "label": "NO", "scenario": "\\ud800"}',
    )
    with pytest.raises(DataError) as caught:
        read_suite(str(path), None)
    message = str(caught.value)
    for number, words in {
        2: ("same prompt as in line 1", "same id as in line 1"),
        3: ("label", "'MAYBE'"),
        4: ("prompt",),
        5: ("prompt", "required"),
        6: ("benchmark",),
        7: ("lable",),
        8: ("not a JSON object",),
        9: ("own.jsonl:9",),
        10: ("a key occurs twice",),
        11: ("benchmark M1 does not have an item with label NO",),
        12: ("not a JSON object",),
        13: ("surrogate",),
    }.items():
        lines = [line for line in message.splitlines() if f"own.jsonl:{number}:" in line]
        assert lines, number
        for word in words:
            assert any(word in line for line in lines), (number, word)
    assert "own.jsonl:1:" not in message


def test_long_lists_of_problems_are_cut_with_their_number(tmp_path: Path) -> None:
    path = _write(tmp_path / "own.jsonl", *["{"] * 70)
    with pytest.raises(DataError, match=r"70 problem\(s\)") as caught:
        read_suite(str(path), None)
    assert "and 20 more" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match="the file is empty"):
        read_suite(str(path), None)


def test_wrong_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(b'{"prompt": "caf\xe9", "label": "YES"}')
    with pytest.raises(DataError, match="not UTF-8"):
        read_suite(str(path), None)


def test_bom_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"prompt": "a", "label": "YES"}\r\n{"prompt": "b", "label": "NO"}\r\n')
    assert [item.question for item in read_suite(str(path), None).items] == ["a", "b"]


def test_unknown_source_names_the_way_out() -> None:
    with pytest.raises(DataError, match=r"suite\.source is 'no_such_suite'.*profile"):
        read_suite("no_such_suite", None)


HOSTILE_LINES = {
    '{"prompt": "  PROMPT\\t one? ", "label": "NO"}': "the same prompt as in line 1, but for case and blanks",
    '{"prompt": "ｐrompt one?", "label": "NO"}': "the same prompt as in line 1, but for case and blanks",
    '{"prompt": "x", "label": "NO", "benchmark": "overall"}': "benchmark overall is a reserved name",
    '{"prompt": "x", "label": "NO", "benchmark": "DIFF"}': "benchmark DIFF is a reserved name",
    '{"prompt": "x", "label": "NO", "benchmark": "EQUAL"}': "benchmark EQUAL is a reserved name",
    '{"prompt": "x", "label": "NO", "benchmark": "default"}': "benchmark default is a reserved name",
    '{"prompt": "x", "label": "NO", "benchmark": "D1"}': "benchmark D1 is a reserved name",
    '{"prompt": "x", "label": "NO", "scenario": ' + "9" * 5000 + "}": "not a JSON object",
    '{"prompt": "x", "label": "' + "N" * 10_000 + '"}': "label",
    '{"prompt": "x", "label": "NO", "\\u001b[2J": 1}': "[U+001B][2J",
}


@pytest.mark.parametrize("line", HOSTILE_LINES)
def test_a_hostile_line_is_named_and_short(line: str, tmp_path: Path) -> None:
    path = _write(
        tmp_path / "own.jsonl", {"prompt": "Prompt one?", "label": "YES"}, line, {"prompt": "2", "label": "NO"}
    )
    with pytest.raises(DataError) as caught:
        read_suite(str(path), None)
    message = str(caught.value)
    assert "own.jsonl:2: " in message
    assert HOSTILE_LINES[line] in message
    assert message.replace("\n", "").isprintable()
    assert len(message) < 1500


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\r"), ("utf-8-sig", "\r\n"), ("utf-16", "\n")])
def test_a_file_of_any_editor_is_read(encoding: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(
        end.join(['{"prompt": "ä", "label": "YES"}', '{"prompt": "b", "label": "NO"}', ""]).encode(encoding)
    )
    assert [item.question for item in read_suite(str(path), None).items] == ["ä", "b"]

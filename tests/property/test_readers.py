"""Whatever bytes a file has, a reader returns or says in one message what is wrong; what was written is read again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dart.annotation.csv_sheets import read_csv, to_csv
from dart.annotation.labels import applicable
from dart.compare.reader import read_outputs
from dart.core.errors import DartError
from dart.core.files import read_json, read_jsonl, write_json, write_jsonl
from dart.core.params import Params, Profile
from dart.core.records import Item
from dart.core.text_files import csv_rows, json_object, read_text
from dart.core.validation import problems
from dart.core.yaml_files import read_yaml
from dart.suite.own import read_own

ROOT = Path(__file__).resolve().parents[2]
FAST = settings(settings.get_profile("default"), max_examples=40, deadline=None, derandomize=True)
ITEM = Item(id="D1-DIFF-0", benchmark="D1", condition="DIFF", gold="YES", prompt="p", scenario="0")
WHOLE: dict[str, tuple[bytes, Callable[[Path], Any]]] = {
    "params.yaml": (
        (ROOT / "params.yaml").read_bytes(), lambda path: problems(Params, read_yaml(path), "params.yaml"),
    ),
    "profile.yaml": (
        (ROOT / "profiles/paper.yaml").read_bytes(), lambda path: problems(Profile, read_yaml(path), "profile.yaml"),
    ),
    "own.jsonl": (
        b'{"prompt": "one?", "label": "YES", "id": 1}\n{"prompt": "two?", "label": "NO", "scenario": "s"}\n', read_own,
    ),
    "outputs.jsonl": (
        b'{"id": "a", "gold": "YES", "prediction": "NO", "toxicity": 0.5}\n'
        b'{"id": "b", "gold": "NO", "prediction": null, "toxicity": 0.25}\n',
        read_outputs,
    ),
    "outputs.csv": (b'id,gold,prediction,text\na,YES,NO,"x, ""y"""\nb,EQUAL,,z\n', read_outputs),
    "sheet.csv": (
        b"code,question,more_harmful,severity\nab12,q,1,mild\ncd34,r,neither,\n",
        lambda path: read_csv(read_text(path, western=True), "sheet.csv", ("code", "more_harmful", "severity")),
    ),
    "labels.csv": (
        b"item_id,texts,annotator_1,annotator_2,consensus\nD1-1,ab,mild,none,mild\n",
        lambda path: applicable(path, [], []),
    ),
    "items.jsonl": (ITEM.model_dump_json().encode() + b"\n", lambda path: read_jsonl(path, Item)),
    "metrics.json": (b'{"a": [1, 2.5, null], "b": {"c": "d"}}\n', lambda path: read_json(path, dict)),
}  # fmt: skip
PIECES = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n", b"\t", b'"', b"'", b"{", b"}", b"[", b"]", b":",
    b",", b";", b"-", b"&a ", b"*a", b"!!python/name:os.system ", b"<<: ", b"1e999", b"9" * 4301, b"NaN", b"true",
    b"null", b"\\ud800", b"\\u0000", b"\xe2\x80\xae", b"\x1b[2J", b"=1+1", b"[" * 2000, b"{a: " * 2000, b"? ",
    b"---\n", b"%YAML 9.9\n", b"0x" + b"f" * 5000,
)  # fmt: skip


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Up to four cuts, repetitions and insertions somewhere in a file."""
    edits = draw(
        st.lists(
            st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(PIECES) | st.binary(max_size=6)), max_size=4
        )
    )

    def apply(content: bytes) -> bytes:
        for place, length, piece in edits:
            start = int(place * len(content))
            content = content[:start] + piece + content[start + length :]
        return content

    return apply


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_file_is_read(name: str, tmp_path: Path) -> None:
    content, read = WHOLE[name]
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) in ([], None) or read(tmp_path / name)


@pytest.mark.parametrize("name", WHOLE)
@FAST
@given(change=damage())
def test_a_damaged_file_is_read_or_refused_in_one_message(
    name: str, change: Callable[[bytes], bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content, read = WHOLE[name]
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(change(content))
    try:
        read(path)
    except DartError as error:
        message = str(error)
        assert message
        assert len(message) < 20_000
        assert "Traceback" not in message


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@FAST
@given(value=st.dictionaries(TEXT, VALUES, max_size=4))
def test_json_survives_the_way_to_disk_and_back(
    value: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path, dict) == value
    assert json_object(json.dumps(value)) == value


@FAST
@given(prompts=st.lists(TEXT, min_size=1, max_size=4))
def test_items_survive_the_way_to_disk_and_back(prompts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "items.jsonl"
    items = [ITEM.model_copy(update={"prompt": prompt, "id": str(index)}) for index, prompt in enumerate(prompts)]
    write_jsonl(path, items)
    assert read_jsonl(path, Item) == items


CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\x00"), max_size=20)


@FAST
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=4), delimiter=st.sampled_from(",;\t|"))
def test_cells_survive_any_delimiter(rows: list[tuple[str, str]], delimiter: str) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("code", "text"), *rows])
    table = [tuple(row.cells) for row in csv_rows(stream.getvalue(), ("code", "text"))]
    assert table == [("code", "text"), *(row for row in rows if any(cell.strip() for cell in row))]
    sheet = to_csv(("code", "text"), [{"code": code, "text": text} for code, text in rows])
    read = read_csv(sheet, "s", ("code", "text"))
    assert [row["text"] for _, row in read] == [
        text.strip().lower() for code, text in rows if code.strip() or text.strip()
    ]

"""Records: strict, byte-stable, and never half-written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.core.errors import DataError
from dart.core.files import read_json, read_jsonl, replacing, write_json, write_jsonl
from dart.core.records import Item
from dart.core.seeds import seed_for, unit_interval

ITEM = Item(id="D1-DIFF-0", benchmark="D1", condition="DIFF", gold="YES", prompt="a – b\u2028c", scenario="0")


def test_records_survive_the_way_to_disk_and_back(tmp_path: Path) -> None:
    items = [ITEM, ITEM.model_copy(update={"id": "D1-DIFF-1"})]
    assert write_jsonl(tmp_path / "deep" / "items.jsonl", items) == 2
    assert read_jsonl(tmp_path / "deep" / "items.jsonl", Item) == items


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    write_jsonl(file, [ITEM, ITEM])
    file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")  # torn by a kill
    with pytest.raises(DataError, match=r"items\.jsonl:2: not a valid Item"):
        read_jsonl(file, Item)
    file.write_text('{"id": "x", "surprise": 1}\n', encoding="utf-8")
    with pytest.raises(DataError, match=":1:"):
        read_jsonl(file, Item)
    with pytest.raises(DataError, match=r"nothing\.jsonl is missing"):
        read_jsonl(tmp_path / "nothing.jsonl", Item)


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"[" * 5000, b'{"id": ' + b"9" * 5000 + b"}", b'{"id": "\\ud800"}', b"", b"null", b"\x00"]
)
def test_what_is_no_record_is_one_message(line: bytes, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_bytes(ITEM.model_dump_json().encode() + b"\n" + line + b"\n")
    with pytest.raises(DataError, match=r"items\.jsonl:2: not a valid Item"):
        read_jsonl(file, Item)
    file.write_bytes(line)
    if not line.startswith(b'{"id": "'):
        with pytest.raises(DataError, match=r"items\.jsonl"):
            read_json(file, dict)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    write_json(file, {"b": 1, "a": 2})
    before = file.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, {"a": float("nan")})

    def die_half_way() -> None:
        with replacing(file) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        die_half_way()
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with replacing(tmp_path / "model") as folder:
            folder.mkdir()
            (folder / content).write_text(content, encoding="utf-8")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["second"]


def test_a_file_never_replaces_a_folder_nor_a_folder_a_file(tmp_path: Path) -> None:
    thesis = tmp_path / "results" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("precious", encoding="utf-8")
    with pytest.raises(DataError, match="results is a folder, and a file would replace it"):
        write_json(tmp_path / "results", {})

    def a_folder_in_its_place() -> None:
        with replacing(thesis) as folder:
            folder.mkdir()

    with pytest.raises(DataError, match=r"thesis\.txt is a file, and a folder would replace it"):
        a_folder_in_its_place()
    for name in (Path("/"), tmp_path / ".."):
        with pytest.raises(DataError, match="is no name for a file"):
            write_json(name, {})
    assert thesis.read_text(encoding="utf-8") == "precious"
    assert [path.name for path in tmp_path.rglob("*")] == ["results", "thesis.txt"]


def test_a_link_to_a_folder_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "weights").write_text("kept", encoding="utf-8")
    (tmp_path / "model").symlink_to(tmp_path / "elsewhere")
    with replacing(tmp_path / "model") as folder:
        folder.mkdir()
    assert not (tmp_path / "model").is_symlink()
    assert (tmp_path / "elsewhere" / "weights").read_text(encoding="utf-8") == "kept"


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_draws_depend_on_their_names_alone(parts: list[str]) -> None:
    assert seed_for(*parts) == seed_for(*parts)
    assert 0 <= unit_interval(*parts) < 1
    assert seed_for(*parts, "x") != seed_for(*parts, "y")

"""Sheets as spreadsheet programs of any country save them, and texts that such a program must not execute."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.annotation.csv_sheets import quoted_text, read_csv, row_code, to_csv
from dart.core.errors import DataError
from dart.core.text_files import read_text

COLUMNS = ("code", "text", "label")
ROWS = [{"code": "c1", "text": 'a; "b", c\td\ne', "label": "x"}, {"code": "c2", "text": "ä–", "label": "y z"}]
EXPECTED = [(2, {"code": "c1", "label": "x"}), (3, {"code": "c2", "label": "y z"})]


def _saved(delimiter: str, quoting: int = csv.QUOTE_MINIMAL, end: str = "\r\n") -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS, delimiter=delimiter, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(ROWS)
    return stream.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_sheet_is_read_as_any_program_saves_it(
    encoding: str, delimiter: str, end: str, quoting: int, tmp_path: Path
) -> None:
    file = tmp_path / "sheet.csv"
    file.write_bytes(_saved(delimiter, quoting, end).encode(encoding))
    assert read_csv(read_text(file, western=True), "sheet.csv", ("code", "label")) == EXPECTED


def test_the_line_that_names_the_delimiter_is_no_row() -> None:
    assert read_csv("sep=;\r\n" + _saved(";"), "s", ("code", "label")) == EXPECTED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the sheet is empty"),
        ("\n\n", "the sheet is empty"),
        ("code,text\n1,2\n", "no column label"),
        ("code,label,label\n1,2,3\n", "two columns label"),
        ('code,label\n"1,2\n', "line .*Save the sheet as CSV again"),
        ("code,label\n1," + "x" * 1_000_001 + "\n", "field larger than field limit"),
        ("\x00\x01", "no column code, label"),
    ],
)
def test_what_is_no_sheet_is_one_message(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_csv(text, "sheet.csv", ("code", "label"))
    assert str(error.value).startswith("sheet.csv")


def test_long_texts_are_read_and_the_limit_of_others_stays() -> None:
    limit = csv.field_size_limit()
    assert read_csv("code,label\n" + "x" * 200_000 + ",y\n", "s", ("code", "label"))[0][1]["label"] == "y"
    assert csv.field_size_limit() == limit


FORMULAS = (
    "=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "＋1", "－1", "＠1", "\u200b=1", "\ufeff=1",
    '"=1', "'=1", "a;=1", "a\t=1", "a\n=1", "a\r\n+1", 'a"\n"=1',
    "a; @x", "\x00=1", "\x0b=1", "\u2028=1", "a;\u200b\u200b=1",
)  # fmt: skip
CELL = re.compile(r"[\s\x00-\x1f\u200b-\u200f\u2060\ufeff\"]*[=+\-@＝＋－＠]")


def _cells(text: str) -> list[str]:
    """Every way in which a program may cut a sheet into cells."""
    sheet = to_csv(("text",), [{"text": text}])
    cells = [cell for row in csv.reader(io.StringIO(sheet, newline="")) for cell in row]
    for delimiter in ";\t":
        for line in re.split(r"[\r\n\v\f\x85\u2028\u2029]", sheet):
            cells += line.split(delimiter)
            cells += [cell for row in csv.reader([line], delimiter=delimiter) for cell in row]
    return cells


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_in_any_locale(text: str) -> None:
    assert not [cell for cell in _cells(quoted_text(text)) if CELL.match(cell)]


@given(st.text(st.sampled_from("=+-@＝\t\r\n ;\"'\ufeff\u200b,a"), max_size=12))
def test_no_combination_is_one_either(text: str) -> None:
    quoted = quoted_text(text)
    assert not [cell for cell in _cells(quoted) if CELL.match(cell)]
    assert quoted.replace("'", "") == text.replace("'", "")


def test_an_ordinary_text_is_shown_as_it_is() -> None:
    for text in ("", "The law treats them alike.", "a - b = c", "5-3, x=1", "1. one\n2. two"):
        assert quoted_text(text) == text


def test_codes_of_rows_are_no_numbers_to_a_spreadsheet() -> None:
    assert row_code("1234567e8901abcd") == "234567e8901a"
    assert row_code("123456789012ffff") == "23456789012f"
    assert row_code("abcdef0123456789") == "abcdef012345"

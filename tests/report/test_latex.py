"""LaTeX without a LaTeX: balanced groups and environments, as many cells as columns, nothing that stops a compiler."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dart.report.contents import tables
from dart.report.evidence import PaperRun
from dart.report.latex import PACKAGES, document, latex, latex_escape
from dart.report.table import Table

HOSTILE = 'Ünïcode “quotes” 50 % & $5 #1 a_b {x} ~ ^ \\ <i> |x| "q" [y] 中 \u202e naïve\nline'
PROVIDED = {
    "array": "arraybackslash", "booktabs": "toprule", "graphicx": "resizebox", "longtable": "endfirsthead",
}  # fmt: skip


def _all(run: PaperRun) -> list[Table]:
    return [table for section_tables in tables(run).values() for table in section_tables]


def _unescaped(text: str) -> str:
    return re.sub(r"\\[\\{}&%$#_]", "", text)


def _depths_are_sound(text: str) -> bool:
    depth = 0
    for character in _unescaped(text):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


def assert_compiles_in_principle(text: str) -> None:
    assert _depths_are_sound(text), "a group is not closed"
    open_environments: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            open_environments.append(name)
        else:
            assert open_environments.pop() == name
    assert not open_environments
    assert text.count(r"\begingroup") == text.count(r"\endgroup")
    assert _unescaped(text).count("$") % 2 == 0, "mathematics is not closed"


def assert_rows_fit(text: str, columns: int) -> None:
    rows = [line for line in text.splitlines() if line.endswith(r" \\") and not line.startswith(r"\label")]
    assert rows
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == columns - 1
        assert not row.startswith("["), "a bracket after a line break is taken for a length"


def test_every_table_compiles_in_principle(run: PaperRun, unannotated: PaperRun) -> None:
    for table in [*_all(run), *_all(unannotated)]:
        text = latex(table)
        assert_compiles_in_principle(text)
        assert_rows_fit(text, len(table.columns))
        assert "Simulated" in text
        assert all(c == "\n" or c.isprintable() for c in text)
        assert text.isascii()
        body = text.split("\n", 1)[1].replace("{%\n", "")  # without the comment and the end of \resizebox
        assert not re.search(r"(?<!\\)[%#_]", body)


def test_a_table_of_hostile_text_compiles_in_principle() -> None:
    for wrapped in ((), (1,)):
        table = Table(
            number="1",
            title=HOSTILE,
            columns=("[a]", "b%"),
            rows=(("[x", HOSTILE), (HOSTILE, "y")),
            note=HOSTILE,
            warning=HOSTILE if wrapped else "",
            wrapped=wrapped,
            simulated=False,
        )
        assert latex(table).isascii()
        assert_compiles_in_principle(latex(table))
        assert_rows_fit(latex(table), 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & c", r"a\_b \& c"),
        ("a\\b{c}", r"a\textbackslash{}b\{c\}"),
        ("Δ −0.1", r"$\Delta$ $-$0.1"),
        ("“é”", "``\\'{e}''"),
        ("ōßŁ", r"\={o}\ss{}\L{}"),
        ("中", "{[}U+4E2D{]}"),
        ("\u202ex", "{[}U+202E{]}x"),
        ("a\nb\tc", "a b c"),
    ],
)
def test_escapes(text: str, expected: str) -> None:
    assert latex_escape(text) == expected


def test_check_sees_what_would_not_compile() -> None:
    with pytest.raises(AssertionError):
        assert_compiles_in_principle(r"\begin{table}{x\end{table}")
    with pytest.raises(AssertionError):
        assert_compiles_in_principle(r"\begin{table}\end{tabular}")
    with pytest.raises(AssertionError):
        assert_compiles_in_principle("$x")
    with pytest.raises(AssertionError):
        assert_rows_fit("a & b & c \\\\", 2)


def test_rules_and_scaling() -> None:
    table = Table(number="2", title="t", columns=("a", "b"), rows=(("x", "1"), ("y", "2")), rules=(1,), simulated=False)
    text = latex(table)
    assert text.index("x & 1") < text.rindex(r"\midrule") < text.index("y & 2")
    assert r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" in text
    assert r"\begin{tabular}{lr}" in text


def test_columns_of_words_share_the_line() -> None:
    table = Table(
        number="8", title="t", columns=("a", "b", "c"), rows=(("x", "y", "z"),), warning="w", wrapped=(1, 2),
        simulated=True,
    )  # fmt: skip
    shares = [float(share) for share in re.findall(r"dimexpr ([\d.]+)\\linewidth", latex(table))]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(1)


def test_document_inputs_every_table_once_and_loads_what_they_use(written: Any) -> None:
    text = (written.folder / "tables.tex").read_text(encoding="utf-8")
    assert_compiles_in_principle(text)
    inputs = re.findall(r"\\input\{(\w+)\}", text)
    files = {path.stem for path in (written.folder).glob("table*.tex")} - {"tables"}
    assert sorted(inputs) == sorted(files)
    body = "".join((written.folder / f"{name}.tex").read_text(encoding="utf-8") for name in inputs)
    for package in PACKAGES:
        assert rf"\usepackage{{{package}}}" in text
        assert PROVIDED[package] in body, f"{package} is loaded for nothing"
    assert "Simulated" in text


def test_empty_section_is_left_out() -> None:
    assert r"\section" not in document([("Nothing", [])], "label")

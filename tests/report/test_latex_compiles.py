"""All tables of a run, and a table of hostile texts, through a real LaTeX, where this machine has one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dart.report.latex import document, latex
from dart.report.table import Table

COMPILERS = {
    "pdflatex": ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"],
    "tectonic": ["--untrusted"],
}
COMPILER = next((name for name in COMPILERS if shutil.which(name)), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(COMPILER is None, reason="needs pdflatex (texlive-latex-recommended) or tectonic"),
]
HOSTILE = (
    "\\input{/etc/passwd} \\write18{id} $x_1^2$ 100 % & # { } ~ ^ \\ <i> |x| \"q\" ``q'' [y] -- ---"
    " 中文 \u202e\u200b\x1b[2J é ß Ł ĳ ﬁ \U0001f600 −½ √ ≈ \u0301 a\u0308 \\end{document} \\\\ %"
)


def compiled(folder: Path) -> None:
    assert COMPILER is not None
    command = [COMPILER, *COMPILERS[COMPILER], "tables.tex"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (folder / "tables.pdf").stat().st_size > 10_000


def test_every_table_of_a_run_compiles(written: Any, tmp_path: Path) -> None:
    compiled(Path(shutil.copytree(written.folder, tmp_path / "paper")))


def test_a_hostile_text_compiles_in_every_place(tmp_path: Path) -> None:
    tables = [
        Table(
            number=number, title=HOSTILE, columns=("[a]", HOSTILE), rows=(("[x", HOSTILE), (HOSTILE, "[2pt]")),
            rules=(1,), note=HOSTILE, warning=HOSTILE if wrapped else "", wrapped=wrapped, simulated=False,
        )
        for number, wrapped in (("1", ()), ("2", (1,)), ("3", (0, 1)))
    ]  # fmt: skip
    (tmp_path / "tables.tex").write_text(document([(HOSTILE, tables)], HOSTILE), encoding="utf-8")
    for table in tables:
        (tmp_path / f"{table.stem}.tex").write_text(latex(table), encoding="utf-8")
    compiled(tmp_path)
    assert (
        "root:" not in (tmp_path / "tables.log").read_text(encoding="utf-8", errors="replace") or COMPILER != "pdflatex"
    )

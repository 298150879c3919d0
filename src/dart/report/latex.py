r"""A table as LaTeX (booktabs), and one document that holds all tables of a run.

Every table stands in a file of its own, to be \input into a manuscript whose preamble loads `PACKAGES` and fontenc
with T1; `document` is the smallest such manuscript, so that `pdflatex tables.tex` shows whether they compile. A
table of numbers is scaled down where it is wider than the line; one of running text is a longtable, which breaks over
pages.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from dart.core.visible_text import visible
from dart.report.table import Table

PACKAGES = ("array", "booktabs", "graphicx", "longtable")
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # after \\ a bracket would be taken for a length
    "]": "{]}",
    "Δ": r"$\Delta$",
    "τ": r"$\tau$",
    "κ": r"$\kappa$",
    "α": r"$\alpha$",
    "λ": r"$\lambda$",
    "✓": r"$\surd$",
    "✗": r"$\times$",
    "∼": r"$\sim$",
    "→": r"$\to$",
    "−": "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "⁵": "$^{5}$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "•": r"\textbullet{}",
    "\u00a0": "~",
}
_LETTERS = {
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "£": r"\pounds{}",
}  # fmt: skip
# Combining mark -> the accent command that every LaTeX font encoding has.
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0328": "k",
}  # fmt: skip
_KEY_SHARE = 0.12  # of the line, for a column that is not running text in a table that has some


def latex(table: Table) -> str:
    """A `table` environment, or a `longtable` where the table has running text."""
    body = []
    for index, row in enumerate(table.rows):
        if index in table.rules:
            body.append(r"\midrule")
        body.append(_row(row))
    return "\n".join([f"% Table {table.number}", *(_long(table, body) if table.wrapped else _float(table, body)), ""])


def _row(cells: Iterable[str]) -> str:
    return " & ".join(latex_escape(cell) for cell in cells) + r" \\"


def _caption(table: Table) -> str:
    text = f"{table.title}." + (" Simulated: embedded models." if table.simulated else "")
    return rf"\caption{{{latex_escape(text)}}}" + "\n" + rf"\label{{tab:dart-{table.number.lower()}}}"


def _remarks(table: Table) -> list[str]:
    return [rf"\par\smallskip{{\footnotesize {latex_escape(remark)}\par}}" for remark in table.remarks]


def _float(table: Table, body: list[str]) -> list[str]:
    kinds = "".join("l" if left else "r" for left in table.left_columns)
    return [
        r"\begin{table}[!htbp]",
        r"\centering\small",
        _caption(table),
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        _row(table.columns),
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        *_remarks(table),
        r"\end{table}",
    ]


def _long(table: Table, body: list[str]) -> list[str]:
    keys = len(table.columns) - len(table.wrapped)
    share = (1 - _KEY_SHARE * keys) / len(table.wrapped)
    widths = [share if index in table.wrapped else _KEY_SHARE for index in range(len(table.columns))]
    kinds = "".join(
        rf">{{\raggedright\arraybackslash}}p{{\dimexpr {width:.3f}\linewidth-2\tabcolsep\relax}}" for width in widths
    )
    head = [r"\toprule", _row(table.columns), r"\midrule"]
    return [
        r"\begingroup\footnotesize",
        *([rf"\noindent\textbf{{{latex_escape(table.warning)}}}\par"] if table.warning else []),
        rf"\begin{{longtable}}{{{kinds}}}",
        _caption(table) + r" \\",
        *head,
        r"\endfirsthead",
        *head,
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *body,
        r"\end{longtable}",
        *_remarks(table),
        r"\endgroup",
    ]


def latex_escape(text: str) -> str:
    """Text for LaTeX: specials escaped, mathematical signs set as mathematics, a line break made a blank.

    The result is ASCII, so it compiles under any input encoding; a character without a LaTeX command is written as
    its code point, [U+4E2D].
    """
    return "".join(_escape(character) for character in visible(text))


def _escape(character: str) -> str:
    if command := _ESCAPES.get(character) or _LETTERS.get(character):
        return command
    if character.isspace():
        return " "
    if character <= "~" and character.isprintable():
        return character
    letter, mark = (*unicodedata.normalize("NFD", character), "", "")[:2]
    if letter.isascii() and letter.isalpha() and mark in _ACCENTS:
        return rf"\{_ACCENTS[mark]}{{{letter}}}"
    return f"{{[}}U+{ord(character):04X}{{]}}"


def document(sections: Iterable[tuple[str, Iterable[Table]]], label: str) -> str:
    r"""The whole of tables.tex: preamble, the run's label, and \input of every table's file by section."""
    lines = [
        "% All tables of this run: pdflatex tables.tex (twice, for the widths of the long tables)",
        r"\documentclass[10pt]{article}",
        r"\usepackage[a4paper,margin=2cm]{geometry}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage{textcomp}",
        *(rf"\usepackage{{{package}}}" for package in PACKAGES),
        r"\begin{document}",
        rf"\noindent\textbf{{{latex_escape(label)}}}",
    ]
    for name, tables in sections:
        if stems := [table.stem for table in tables]:
            lines += [rf"\section*{{{latex_escape(name)}}}", *(rf"\input{{{stem}}}" for stem in stems), r"\clearpage"]
    return "\n".join([*lines, r"\end{document}", ""])

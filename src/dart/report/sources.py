"""Where a table or figure comes from: the stages that made its numbers, and the function that draws it.

A page that has been mailed is read without the repository; a reader must still be able to name the code behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dart.report.blocks import Maker
from dart.report.contents import Section
from dart.report.table import Table

_STAGES: Mapping[str, str] = {
    "questions": "evaluate",
    "results": "evaluate",
    "students": "evaluate",
    "harm": "audit, reaudit, evaluate",
    "policy": "policy, evaluate",
    "ablations": "arms",
    "external": "bold, holisticbias, realtoxicityprompts, hatecheck",
    "openended": "openended_judgements",
    "annotation": "judge_annotated, calibrate",
    "setup": "suite, distill, train",
    "paper": "",  # arithmetic on numbers that the paper prints
    "examples": "distill, generate, audit",
}


def table_source(section: Section, maker: Maker) -> str:
    """Stages and function of a table, for the line below it."""
    return f"{_numbers(section)}Drawn by src/{maker.__module__.replace('.', '/')}.py, {maker.__name__}."


def figure_source(section: Section) -> str:
    return f"{_numbers(section)}Drawn by src/dart/report/figures.py."


def table_sources(section: Section, tables: Sequence[Table]) -> dict[str, str]:
    """{stem: source} of a section's tables, which stand in the order of its makers."""
    return {table.stem: table_source(section, maker) for table, maker in zip(tables, section.makers, strict=True)}


def _numbers(section: Section) -> str:
    stages = _STAGES[section.key]
    return f"Numbers: stage {stages}. " if stages else ""

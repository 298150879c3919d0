"""The report page, as HTML to mail and to print and as Markdown: claims first, then contents, tables and figures.

Self-contained: styles and figures are inside, nothing is fetched, no script runs. Follows the reader's light or dark
setting; on paper no table is cut off by a scroll bar.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dart.core.visible_text import visible
from dart.report.contents import SECTIONS, Section
from dart.report.evidence import PaperRun
from dart.report.figures import CAPTIONS, TITLES
from dart.report.markdown import escaped, fenced, markdown
from dart.report.row_links import Viewer, row_links
from dart.report.sources import figure_source, table_sources
from dart.report.summary import claims, label, summary
from dart.report.table import NOT_RUN, Table
from dart.report.tables.examples import real_suite

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    trim_blocks=True,
    lstrip_blocks=True,
)
TITLE = "DART: tables and figures of this run"
VOCABULARY = (
    "base is the student as given (M0 in the paper), distilled the student after Stage I (M_int), repaired after "
    "Stage III (M_DART); control: Stage I continued for as many steps as repair, without repair rows (not in the "
    "paper). DIFF: gold YES, EQUAL: gold NO. H: toxicity of a rationale without its conclusion line. Drift case: a "
    "rationale whose H exceeds base's by more than τ and which the judge confirms as more harmful. Brackets: 95 % "
    "percentile bootstrap. Columns named after the paper show its printed numbers, for comparison, not as targets."
)
WARNING = (
    "Content warning: the last section quotes prompts and answers about groups of people, some offensive or false; it "
    "opens on a click."
)


NOT_SHOWN = {
    "simulated": "What this does not show: anything about language models. Drift was planted by a rule-based teacher, "
    "Stage I mostly elicits what the base knows, and which repair works follows from declared numbers "
    "(docs/embedded-world.md).",
    "measured": "What this does not show: other suites, students or judges than those named below, and drift that "
    "neither the screen nor the sample below it met. The suite is meant for evaluation, not training.",
}
HERO = "figure04"  # stands on the first screen
_TOGETHER = re.compile(r"\[[^\[\]]{1,60}\]|\d+(?: / \d+)+")  # an interval; counts such as 25 / 39 / 6


def breakable(text: str) -> str:
    """A cell that may break between numbers, and never within an interval, before a percent sign or after an arrow."""
    together = _TOGETHER.sub(lambda match: match[0].replace(" ", "\u00a0"), text)
    return together.replace(" %", "\u00a0%").replace("→ ", "→\u00a0")


_ENVIRONMENT.filters["breakable"] = breakable


def html_fragment(table: Table) -> str:
    """A <figure> with the table; styles come from the page. Texts of a real suite open on a click."""
    template = _ENVIRONMENT.get_template("table.html.j2")
    return str(template.module.figure(table, NOT_RUN, {}, ""))  # type: ignore[attr-defined]


class Part(NamedTuple):
    """A section of the page with its tables and the names of its drawn figures."""

    section: Section
    tables: Sequence[Table]
    figures: Sequence[str]


def parts(tables: Mapping[str, Sequence[Table]], images: Mapping[str, bytes]) -> list[Part]:
    """The sections in order, each with the figures that were drawn for it."""
    svg_names = sorted(name for name in images if name.endswith(".svg"))
    return [
        Part(section, tables[section.key], [name for name in svg_names if name.startswith(section.figures)])
        if section.figures
        else Part(section, tables[section.key], [])
        for section in SECTIONS
    ]


def about(run: PaperRun) -> str:
    """What ran: suite with its origin, students, sizes."""
    origin = run.card.get("provenance", {})
    commit = f" at commit {origin['commit']}" if origin.get("commit") else ""
    sizes = " / ".join(f"{len(run.splits[split]):,}" for split in run.splits)
    students = ", ".join(f"{student.name} (slot {student.slot})" for student in run.students)
    note = f" {origin['note']}" if origin.get("note") else ""
    return (
        f"Suite: {origin.get('repository') or origin.get('source') or 'unknown'}{commit}; {sizes} items "
        f"({' / '.join(run.splits)}).{note} Students: {students}."
    )


def origin(run: PaperRun) -> str:
    """Which world the numbers are of; empty for a run without provenance."""
    world = run.provenance
    if world is None:
        return ""
    students = ", ".join(f"{student.slot}: {student.model} at {student.revision}" for student in world.students)
    scorers = ", ".join(f"{kind}: {model.model} at {model.revision}" for kind, model in world.scorers.items())
    parties = ", ".join(f"{role.replace('_', ' ')}: {party.model}" for role, party in world.parties.items())
    return (
        f"Provenance: profile {world.profile} ({world.label}); suite {world.suite[:16]} (sha256 of its splits); "
        f"students {students}; classifiers {scorers}; {parties}. Numbers: metrics/decision.json, git blob "
        f"{run.numbers}; `git log --find-object={run.numbers}` names the commit that holds them."
    )


def facts(run: PaperRun) -> list[tuple[str, str]]:
    """What a reader of a mailed page must be able to trace: (name, value)."""
    settings, world = run.settings, run.provenance
    seeds = run.metrics.get("seeds", {}).get("seeds", [])
    source = run.card.get("provenance", {})
    pairs = [
        ("profile", "" if world is None else f"{world.profile} ({world.label})"),
        ("data", " ".join(str(source[key]) for key in ("repository", "commit", "date") if source.get(key))),
        ("numbers", f"metrics/decision.json, git blob {run.numbers[:16]}" if run.numbers else ""),
        ("training seeds", ", ".join(map(str, seeds))),
        ("τ", "" if settings.tau_delta is None else f"{settings.tau_delta:g}"),
        (
            "severity weights",
            "" if settings.severity_weights is None else
            ", ".join(f"{name} {weight}" for name, weight in settings.severity_weights.model_dump().items()),
        ),
    ]  # fmt: skip
    return [(name, value) for name, value in pairs if value]


def figure_title(run: PaperRun, name: str) -> str:
    """Caption of a drawn figure."""
    slot = name.partition("_")[2].rpartition(".")[0]
    return f"{TITLES[_stem(name)]}, {slot}{' (simulated)' if run.simulated else ''}"


def _stem(name: str) -> str:
    return name.partition("_")[0]


def page_markdown(run: PaperRun, content: Sequence[Part], coverage: Table, state: str = "") -> str:
    """index.md, beside the figures' files; `state`: of the working tree, where the page is no out of a stage."""
    lines = [f"# {TITLE}", "", f"**{escaped(label(run))}**", ""]
    lines += [f"**{WARNING}**", ""] if real_suite(run) else []
    lines += [f"- {escaped(line)}" for line in claims(run)]
    notes = (about(run), origin(run), state, *run.left_out, VOCABULARY)
    lines += ["", *fenced(summary(run)), "", *(line for n in notes if n for line in (escaped(n), ""))]
    for part in content:
        lines += [f"## {part.section.title}", ""]
        for name in part.figures:
            title = figure_title(run, name)
            lines += [f"![{escaped(title)}]({name})", "", f"*{escaped(title)}.* {escaped(CAPTIONS[_stem(name)])}", ""]
        lines += [markdown(table) for table in part.tables]
    return "\n".join([*lines, "## Coverage", "", markdown(coverage)])


def page_html(
    run: PaperRun,
    content: Sequence[Part],
    coverage: Table,
    images: Mapping[str, bytes],
    state: str = "",
    viewer: Viewer | None = None,
) -> str:
    """index.html, whole in one file: templates/page.html.j2 with everything escaped.

    Args:
        viewer: the page of samples beside it, which counts link to.
    """
    template = _ENVIRONMENT.get_template("page.html.j2")
    name = next(
        (name for part in content for name in part.figures if name.startswith(f"{HERO}_{run.primary_student.slot}.")),
        "",
    )
    return template.render(
        title=TITLE,
        hero=_figure(run, name, images) if name else None,
        not_shown=NOT_SHOWN[run.settings.label],
        facts=facts(run),
        state=state,
        sources={stem: text for part in content for stem, text in table_sources(part.section, part.tables).items()},
        label=label(run),
        warning=WARNING if real_suite(run) else "",
        claims=claims(run),
        about=[text for text in (about(run), origin(run), *run.left_out) if text],
        vocabulary=VOCABULARY,
        parts=[
            (
                part,
                figure_source(part.section),
                [_figure(run, other, images) for other in part.figures if other != name],
            )
            for part in content
        ],
        coverage=coverage,
        links={table.stem: row_links(run, table, viewer) for part in content for table in part.tables},
        viewer=viewer.file if viewer else "",
        not_run=NOT_RUN,
    )


def _figure(run: PaperRun, name: str, images: Mapping[str, bytes]) -> dict[str, str]:
    data = base64.b64encode(images[name]).decode("ascii")
    return {
        "id": name.rpartition(".")[0],
        "title": figure_title(run, name),
        "source": f"data:image/svg+xml;base64,{data}",
        "caption": CAPTIONS[_stem(name)],
    }

"""The report page, as HTML to mail and to print and as Markdown: claims first, then contents, tables and figures.

Self-contained: styles and figures are inside, nothing is fetched, no script runs. Follows the reader's light or dark
setting; on paper no table is cut off by a scroll bar.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dart.report.contents import SECTIONS, Section
from dart.report.evidence import PaperRun
from dart.report.figures import CAPTIONS, TITLES
from dart.report.headline import headline, label, summary
from dart.report.render import escaped, html_fragment, markdown
from dart.report.table import Table
from dart.report.tables.examples import real_suite

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
_STYLE = """
:root{color-scheme:light dark;--ink:#222;--soft:#555;--line:#999;--page:#fff;--box:#fdf4e0;--bar:#E69F00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--soft:#aaa;--line:#777;--page:#16181b;--box:#33290f}}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:var(--ink);
background:var(--page)}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:3rem;border-bottom:1px solid var(--line)}a{color:inherit}
.label,.warning{border-left:.4rem solid var(--bar);background:var(--box);padding:.6rem 1rem;font-weight:600}
summary.warning{cursor:pointer;font-weight:400;font-size:13px;margin-bottom:.5rem}
nav{columns:2;font-size:13.5px}nav>ul{margin:0;padding-left:1.2rem}nav li{break-inside:avoid}
figure{margin:2rem 0}figcaption{font-weight:600;margin-bottom:.4rem}.scroll{overflow-x:auto}
.plots{display:flex;flex-wrap:wrap;gap:1rem 2rem}.plots figure{margin:1rem 0;width:26rem;max-width:100%}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:right;white-space:nowrap;vertical-align:top}
.left{text-align:left}td.wrapped,.words td{white-space:normal;min-width:9rem}
.absent{color:var(--soft);font-style:italic}
thead th{border-top:2px solid var(--ink);border-bottom:1px solid var(--ink)}
tbody tr:last-child td{border-bottom:2px solid var(--ink)}
tr.rule td{border-top:1px solid var(--line)}.note{font-size:12.5px;color:var(--soft);max-width:60rem;margin:.4rem 0}
img{width:100%;height:auto;background:#fff}
@media print{body{max-width:none;font-size:10pt;margin:0}table{font-size:7.5pt}th,td{padding:.1rem .3rem;
white-space:normal}.scroll{overflow:visible}figure{break-inside:avoid}.words{break-inside:auto}nav{columns:1}}
"""


class Part(NamedTuple):
    """A section of the page with its tables and the names of its drawn figures."""

    section: Section
    tables: Sequence[Table]
    figures: Sequence[str]


def parts(tables: Mapping[str, Sequence[Table]], images: Mapping[str, bytes]) -> list[Part]:
    """The sections in order, each with the figures that were drawn for it."""
    drawn = sorted(name for name in images if name.endswith(".svg"))
    return [
        Part(section, tables[section.key], [name for name in drawn if name.startswith(section.figures)])
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


def figure_title(run: PaperRun, name: str) -> str:
    """Caption of a drawn figure."""
    slot = name.partition("_")[2].rpartition(".")[0]
    return f"{TITLES[_stem(name)]}, {slot}{' (simulated)' if run.simulated else ''}"


def _stem(name: str) -> str:
    return name.partition("_")[0]


def page_markdown(run: PaperRun, content: Sequence[Part], coverage: Table) -> str:
    """index.md, beside the figures' files."""
    lines = [f"# {TITLE}", "", f"**{escaped(label(run))}**", ""]
    lines += [f"**{WARNING}**", ""] if real_suite(run) else []
    lines += [f"- {escaped(line)}" for line in headline(run)]
    lines += ["", "```text", summary(run), "```", "", escaped(about(run)), "", escaped(VOCABULARY), ""]
    for part in content:
        lines += [f"## {part.section.title}", ""]
        for name in part.figures:
            title = figure_title(run, name)
            lines += [f"![{title}]({name})", "", f"*{title}.* {escaped(CAPTIONS[_stem(name)])}", ""]
        lines += [markdown(table) for table in part.tables]
    return "\n".join([*lines, "## Coverage", "", markdown(coverage)])


def page_html(run: PaperRun, content: Sequence[Part], coverage: Table, images: Mapping[str, bytes]) -> str:
    """index.html, whole in one file."""
    claims = "".join(f"<li>{html.escape(line)}</li>\n" for line in headline(run))
    warning = f'<p class="warning">{html.escape(WARNING)}</p>\n' if real_suite(run) else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n<body>\n'
        f'<header><h1>{TITLE}</h1>\n<p class="label">{html.escape(label(run))}</p>\n{warning}'
        f"<ul>\n{claims}</ul>\n<p>{html.escape(about(run))}</p>\n"
        f'<p class="note">{html.escape(VOCABULARY)}</p></header>\n{"".join(_navigation(run, content))}<main>\n'
        + "".join(_section(run, part, images) for part in content)
        + f'<section id="coverage"><h2>Coverage</h2>\n{html_fragment(coverage)}</section>\n'
        + "</main></body></html>\n"
    )


def _navigation(run: PaperRun, content: Sequence[Part]) -> Iterator[str]:
    yield "<nav><ul>\n"
    for part in content:
        yield f'<li><a href="#{part.section.key}">{html.escape(part.section.title)}</a><ul>\n'
        for name in part.figures:
            yield f'<li><a href="#{name.rpartition(".")[0]}">{html.escape(figure_title(run, name))}</a></li>\n'
        for table in part.tables:
            yield f'<li><a href="#{table.stem}">Table {table.number}: {html.escape(table.title)}</a></li>\n'
        yield "</ul></li>\n"
    yield '<li><a href="#coverage">Coverage</a></li>\n</ul></nav>\n'


def _section(run: PaperRun, part: Part, images: Mapping[str, bytes]) -> str:
    drawn = []
    for name in part.figures:
        title, data = html.escape(figure_title(run, name)), base64.b64encode(images[name]).decode("ascii")
        source = f"data:image/svg+xml;base64,{data}"
        note = f'<p class="note">{html.escape(CAPTIONS[_stem(name)])}</p>'
        drawn.append(
            f'<figure id="{name.rpartition(".")[0]}"><figcaption>{title}</figcaption>\n'
            f'<img alt="{title}" src="{source}">\n{note}</figure>\n'
        )
    plots = f'<div class="plots">\n{"".join(drawn)}</div>\n' if drawn else ""
    body = "".join(map(html_fragment, part.tables))
    return f'<section id="{part.section.key}"><h2>{html.escape(part.section.title)}</h2>\n{plots}{body}</section>\n'

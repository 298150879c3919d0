"""Figures 3 and 4 as bytes: PNG and SVG, the same for the same numbers.

Figure 3: accuracy, EQUAL accuracy and median toxicity at base, distilled and repaired. Figure 4: drift cases by
severity before and after repair, beside the control. One style, the Okabe-Ito colours (distinguishable with any
colour vision, and by lightness in grey), error bars 95 % bootstrap. No dates, no software name, fixed SVG ids.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dart.paper.run import STAGES, Run, StudentRun
from dart.paper.table import percent
from dart.records import SEVERITIES

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs everywhere
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "0.9",
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "dart",
    "savefig.dpi": 200,
}
COLOURS: Mapping[str, str] = {
    "base": "#999999",
    "distilled": "#E69F00",
    "repaired": "#0072B2",
    "before": "#E69F00",
    "after": "#0072B2",
    "control": "#CC79A7",
}
_ERROR: Mapping[str, Any] = {"ecolor": "0.2", "capsize": 2, "error_kw": {"elinewidth": 0.8}}


def figures(run: Run) -> dict[str, bytes]:
    """{file name: bytes} of both figures for every student, PNG and SVG."""
    found = {}
    with mpl.rc_context(STYLE):
        for student in run.students:
            for stem, draw in (("figure03", _figure3), ("figure04", _figure4)):
                figure = draw(run, student)
                for kind in ("png", "svg"):
                    found[f"{stem}_{student.slot}.{kind}"] = _bytes(figure, kind)
    return found


def _bytes(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def _new(run: Run, student: StudentRun, title: str, panels: Sequence[float]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.6, 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), width_ratios=panels, squeeze=False)[0]
    note = " (simulated)" if run.simulated else ""
    figure.suptitle(f"{title}: {student.name}{note}", fontsize=9)
    return figure, list(axes)


def _bars(axes: Axes, x: Any, entries: Sequence[Mapping[str, Any]], width: float, **style: Any) -> None:
    """Bars of {"estimate", "ci"}; a value that could not be counted is drawn as nothing."""
    values = np.array([np.nan if entry["estimate"] is None else entry["estimate"] for entry in entries], dtype=float)
    ends = [entry["ci"] or (value, value) for entry, value in zip(entries, values, strict=True)]
    # a percentile interval may miss its estimate by a hair: an error bar cannot be negative
    errors = np.array([(max(0.0, v - low), max(0.0, high - v)) for v, (low, high) in zip(values, ends, strict=True)]).T
    axes.bar(x, values, width, yerr=errors, **_ERROR, **style)


def _figure3(run: Run, student: StudentRun) -> Figure:
    intervals = run.metric("tests", "intervals", student.slot)
    figure, (decisions, toxicity) = _new(run, student, "Stage ablation", (2, 1))
    names = {"accuracy": "accuracy", "equal_accuracy": "EQUAL accuracy"}
    groups = np.arange(len(names))
    for index, stage in enumerate(STAGES):
        entries = [intervals[stage][name] for name in names]
        _bars(decisions, groups + (index - 1) * 0.26, entries, 0.24, color=COLOURS[stage], label=stage)
    decisions.set_xticks(groups, list(names.values()))
    decisions.set_ylim(0, 1)
    decisions.set_title("(a) decisions, unparsed = wrong")
    figure.legend(ncols=3, loc="outside lower center", fontsize=7, handlelength=1)
    entries = [intervals[stage]["toxicity_median_x1e5"] for stage in STAGES]
    _bars(toxicity, np.arange(len(STAGES)), entries, 0.7, color=[COLOURS[stage] for stage in STAGES])
    toxicity.set_xticks(np.arange(len(STAGES)), STAGES)
    toxicity.set_title("(b) median toxicity × 10⁵")
    return figure


def _figure4(run: Run, student: StudentRun) -> Figure:
    arms = run.metric("repair", student.slot, "audited")
    drift = run.metric("drift", student.slot)
    change = "" if drift["reduction"] is None else f", net {percent(-drift['reduction'], sign=True)}"
    title = f"Drift cases {drift['before']['total']} → {drift['after']['total']}{change}"
    figure, (axes,) = _new(run, student, title, (1,))
    bars = [("before", "repair", "before"), ("after", "repair", "after"), ("control", "control", "after")]
    drawn = [(name, arms[arm], when) for name, arm, when in bars if arm in arms]
    groups = np.arange(len(SEVERITIES))
    for index, (name, arm, when) in enumerate(drawn):
        entries = [
            {"estimate": arm["by_severity"][severity][when], "ci": arm["by_severity"][severity][f"{when}_ci"]}
            for severity in SEVERITIES
        ]
        label = {"before": "before repair", "after": "after repair", "control": "control: same steps, no repair rows"}
        hatch = "//" if name == "control" else None
        position = groups + (index - (len(drawn) - 1) / 2) * 0.27
        _bars(axes, position, entries, 0.25, color=COLOURS[name], hatch=hatch, edgecolor="white", label=label[name])
    axes.set_xticks(groups, SEVERITIES)
    axes.set_ylabel("audited cases")
    figure.legend(ncols=3, loc="outside lower center", fontsize=7, handlelength=1)
    return figure

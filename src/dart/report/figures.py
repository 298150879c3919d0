"""Figures 3, 4 and 5 as bytes: PNG, SVG and PDF, the same for the same numbers.

Figure 3: accuracy, EQUAL accuracy and mean toxicity (the paper: median) at base, distilled and repaired. Figure 4:
drift cases by severity before and after repair, beside the control. Figure 5: ROC of the toxicity delta against
annotated pairs. One style at the width of a column, the Okabe-Ito colours (distinguishable with any colour vision, and
by lightness in grey), error bars 95 %. No dates, no software name, fixed SVG ids.
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

from dart.core.records import SEVERITIES
from dart.metrics.run import CONTROL, STAGES, Run, StudentRun
from dart.report import published
from dart.report.evidence import PaperRun
from dart.report.table import percent
from dart.stats.calibration import operating_point

COLUMN_WIDTH_IN = 3.3
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs everywhere
    "font.size": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 7,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "0.9",
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "dart",
    "pdf.fonttype": 42,  # TrueType: many venues refuse the default
    "savefig.dpi": 300,
}
COLOURS: Mapping[str, str] = {
    "base": "#999999",
    "distilled": "#E69F00",
    "repaired": "#0072B2",
    "before": "#E69F00",
    "after": "#0072B2",
    "control": "#CC79A7",
    "curve": "#0072B2",
    "point": "#D55E00",
}
METADATA: Mapping[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
TITLES: Mapping[str, str] = {
    "figure03": "Figure 3: decisions and toxicity at the three stages",
    "figure04": "Figure 4: drift cases by severity",
    "figure05": "Figure 5: ROC of the toxicity delta",
}
_LLAMA = published.TABLE_2_ACCURACY["base"]
CAPTIONS: Mapping[str, str] = {
    "figure03": "Decisions: means over training seeds, bars 95 % for further seeds and items; unparsed answers count "
    "as wrong. Toxicity: the reference seed, bars 95 % bootstrap over items; H × 10⁵ is the toxicity of the rationale, "
    "by its mean, because the median does not move when a part of the rationales turns toxic (Table 44 has both). The "
    f"paper (Llama-3-8B, base → repaired): accuracy {_LLAMA['overall'][0]:.3f} → {_LLAMA['overall'][1]:.3f}, EQUAL "
    f"{_LLAMA['EQUAL'][0]:.3f} → {_LLAMA['EQUAL'][1]:.3f}; median H × 10⁵ at the three stages "
    f"{' / '.join(f'{value:.2f}' for value in published.TOXICITY_MEDIAN_X1E5.values())}.",
    "figure04": "Means over training seeds, bars 95 % for further seeds and items. Control: Stage I continued for as "
    "many steps without repair rows. The paper (Llama-3-8B, no control): "
    + ", ".join(f"{s} {published.DRIFT_BEFORE[s]} → {published.DRIFT_AFTER[s]}" for s in SEVERITIES)
    + ".",
    "figure05": "A pair is flagged when its delta exceeds τ; the point is the τ of this run. Pairs are drawn in equal "
    f"numbers from condition × screened and weighted by what they stand for. The paper: {published.TAU_PAIRS} pairs.",
}
_ERROR: Mapping[str, Any] = {"ecolor": "0.2", "capsize": 1.5, "error_kw": {"elinewidth": 0.7}}


def figures(run: PaperRun) -> dict[str, bytes]:
    """{file name: bytes} of the figures for every student, in every format; Figure 5 only with annotated pairs."""
    files: dict[str, bytes] = {}
    with mpl.rc_context(STYLE):
        plots = {
            f"{stem}_{student.slot}": draw(run, student)
            for student in run.students
            for stem, draw in (("figure03", _figure3), ("figure04", _figure4))
        }
        if run.roc:
            plots[f"figure05_{run.annotated_student.slot}"] = _figure5(run)
        for name, figure in plots.items():
            files |= {f"{name}.{kind}": _bytes(figure, kind) for kind in METADATA}
    return files


def _bytes(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=METADATA[kind])
    return buffer.getvalue()


def _new(run: Run, title: str, panels: Sequence[float], height_in: float = 2.3) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(COLUMN_WIDTH_IN, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), width_ratios=panels, squeeze=False)[0]
    figure.suptitle(title + (" (simulated)" if run.simulated else ""), fontsize=7.5)
    return figure, list(axes)


def _bars(axes: Axes, x: Any, entries: Sequence[Mapping[str, Any]], width: float, **style: Any) -> None:
    """Bars of {"estimate", "ci"}; a missing estimate is not drawn."""
    values = np.array([np.nan if entry["estimate"] is None else entry["estimate"] for entry in entries], dtype=float)
    ends = [entry["ci"] or (value, value) for entry, value in zip(entries, values, strict=True)]
    # a percentile interval may miss its estimate by a hair: an error bar cannot be negative
    errors = np.array([(max(0.0, v - low), max(0.0, high - v)) for v, (low, high) in zip(values, ends, strict=True)]).T
    axes.bar(x, values, width, yerr=errors, **_ERROR, **style)


def _legend(figure: Figure, columns: int) -> None:
    figure.legend(ncols=columns, loc="outside lower center", fontsize=6.5, handlelength=1, columnspacing=1)


def _figure3(run: PaperRun, student: StudentRun) -> Figure:
    intervals = run.metric("tests", "intervals", student.slot)
    levels = run.metric("seeds", "students", student.slot, "levels")
    figure, (decisions, toxicity) = _new(run, f"{student.name}, unparsed = wrong", (1.8, 1))
    names = {"accuracy": "accuracy", "equal_accuracy": "EQUAL accuracy"}
    groups = np.arange(len(names))
    for index, stage in enumerate(STAGES):
        entries = [levels[stage].get(name, {"estimate": None, "ci": None}) for name in names]
        _bars(decisions, groups + (index - 1) * 0.27, entries, 0.25, color=COLOURS[stage], label=stage)
    decisions.set_xticks(groups, list(names.values()))
    decisions.set_ylim(0, 1)
    decisions.set_title("(a) decisions", loc="left")
    entries = [intervals[stage]["toxicity_mean_x1e5"] for stage in STAGES]
    _bars(toxicity, np.arange(len(STAGES)), entries, 0.75, color=[COLOURS[stage] for stage in STAGES])
    toxicity.set_xticks([])  # the legend's colours name the stages
    toxicity.set_title("(b) mean H × 10⁵", loc="right")
    _legend(figure, len(STAGES))
    return figure


def _figure4(run: PaperRun, student: StudentRun) -> Figure:
    of_student = run.metric("seeds", "students", student.slot)
    before, after = (of_student["levels"][stage]["drift_rate"]["estimate"] for stage in ("distilled", "repaired"))
    figure, (axes,) = _new(run, f"{student.name}: drift rate {percent(before)} → {percent(after)}", (1,))
    bars = {
        "distilled": ("before", "before repair"),
        "repaired": ("after", "after repair"),
        CONTROL: (CONTROL, CONTROL),
    }
    series = [
        (*bars[variant], of_student["severities"][variant]) for variant in bars if variant in of_student["severities"]
    ]
    groups = np.arange(len(SEVERITIES))
    for index, (name, label, by_severity) in enumerate(series):
        hatch = "//" if name == CONTROL else None
        position = groups + (index - (len(series) - 1) / 2) * 0.28
        entries = [by_severity[severity] for severity in SEVERITIES]
        _bars(axes, position, entries, 0.26, color=COLOURS[name], hatch=hatch, edgecolor="white", label=label)
    axes.set_xticks(groups, SEVERITIES)
    axes.set_ylabel("audited cases, mean of seeds")
    _legend(figure, len(series))
    return figure


def _figure5(run: PaperRun) -> Figure:
    metrics = run.metric("calibration")
    figure, (axes,) = _new(run, f"{run.annotated_student.name}: {len(run.pairs)} annotated pairs", (1,), height_in=2.7)
    label = f"toxicity delta, AUC {metrics['auc']:.2f} (the paper: {published.AUC:.2f})"
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":", label="chance")
    x, y = ([point[key] for point in run.roc] for key in ("fpr", "tpr"))
    axes.plot(x, y, color=COLOURS["curve"], linewidth=1.4, label=label)
    if run.settings.tau_delta is not None:
        deltas, drift, weights = run.annotations
        point = operating_point(deltas, drift, run.settings.tau_delta, weights)
        point_label = f"τ = {point.tau:g}: F1 {point.f1:.2f} (the paper: {published.TAU_F1:.2f})"
        style: dict[str, Any] = {"color": COLOURS["point"], "linestyle": "none", "clip_on": False, "zorder": 3}
        axes.plot([point.false_positive_rate], [point.recall], marker="o", markersize=5, label=point_label, **style)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    axes.grid(True, axis="both")
    axes.legend(loc="lower right", fontsize=6, handlelength=1.5, frameon=True, edgecolor="none", framealpha=0.9)
    return figure

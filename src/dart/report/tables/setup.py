"""Tables about the set-up: 6 (splits), 9 (LoRA), 10 (training), 11 (severity), read from what the run left on disk.

Settings typed by hand can be wrong; these are read from the adapter's own config, its training log and the audit's
records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from dart.core.errors import DataError
from dart.core.records import SEVERITIES
from dart.core.schema.method import SeverityWeights
from dart.metrics.run import SPLITS, Adapter, Run, StudentRun
from dart.report import published
from dart.report.blocks import Maker
from dart.report.table import NONE, Row, Table, cell, number, ruled
from dart.stats.decision import benchmarks_of

_LORA_ROWS: Mapping[str, str] = {
    "r": "Rank r",
    "lora_alpha": "Alpha",
    "lora_dropout": "Dropout",
    "target_modules": "Target modules",
    "bias": "Bias",
    "use_rslora": "Rank-stabilised",
}
# Rows of the model card that Table 9 shows, or that are split up.
_NOT_TRAINING = ("LoRA", "training", "base revision", "data digest")


def table6(run: Run) -> Table:
    """Table 6: items by benchmark, condition and split."""
    counts = Counter((split, item.benchmark, item.condition) for split in SPLITS for item in run.splits[split])
    names = benchmarks_of([item for split in SPLITS for item in run.splits[split]])

    def row(label: str, benchmarks: list[str]) -> tuple[str, ...]:
        cells = [label]
        total = 0
        for split in SPLITS:
            diff, equal = (sum(counts[split, name, side] for name in benchmarks) for side in ("DIFF", "EQUAL"))
            total += diff + equal
            cells.append(f"{diff + equal} ({diff} / {equal})")
        return (*cells, str(total))

    totals = published.SPLIT_TOTALS
    return Table(
        number="6",
        title="Items by benchmark and split",
        columns=("Benchmark", *(f"{split.capitalize()} (DIFF / EQUAL)" for split in SPLITS), "Total"),
        rows=(*(row(run.benchmark_name(name), [name]) for name in names), row("Total", names)),
        rules=(len(names),),
        note=f"The paper: {totals['train']:,} / {totals['validation']:,} / {totals['test']:,}.",
        simulated=run.simulated,
    )


def table9(run: Run) -> Table:
    """Table 9: LoRA settings from the adapters' own config files, and their agreement over students and stages."""
    configs = {
        f"{student.slot}/{name}": adapter.config
        for student in run.students
        for name, adapter in student.adapters.items()
    }
    rows = [
        (label, _common_setting(configs, key), published.LORA.get(key, NONE))
        for key, label in _LORA_ROWS.items()
        if any(key in config for config in configs.values())
    ]
    return Table(
        number="9",
        title="LoRA configuration as used",
        columns=("Setting", "This run", "The paper"),
        rows=tuple(rows),
        note=f"Read from adapter_config.json of {len(configs)} adapters.",
        simulated=run.simulated,
    )


def _common_setting(configs: Mapping[str, Mapping[str, Any]], key: str) -> str:
    """The value that all configs share, or each one's own."""
    settings = {adapter: _setting(config.get(key)) for adapter, config in configs.items()}
    values = set(settings.values())
    return values.pop() if len(values) == 1 else "; ".join(f"{adapter}: {value}" for adapter, value in settings.items())


def _setting(value: Any) -> str:
    # peft writes a set in arbitrary order
    return cell(sorted(value)) if isinstance(value, list | tuple) else cell(value)


def table10(run: Run) -> Table:
    """Table 10: training settings and sizes from each adapter's model card and log."""
    adapters = [(student.name, name, adapter) for student in run.students for name, adapter in student.adapters.items()]
    settings = [_training_settings(adapter) for *_, adapter in adapters]
    keys = list(dict.fromkeys(key for values in settings for key in values))
    return Table(
        number="10",
        title="Training of Stages I and III as it ran",
        columns=("Setting", *(f"{student}, {variant}" for student, variant, _ in adapters), "The paper"),
        rows=tuple(
            (key, *(values.get(key, NONE) for values in settings), published.TRAINING.get(key, NONE)) for key in keys
        ),
        note="Read from the model card and the log of each adapter. The control is Stage I continued for as many steps "
        "as repair, without repair rows; it is not in the paper.",
        simulated=run.simulated,
    )


def _training_settings(adapter: Adapter) -> dict[str, str]:
    """The card's rows, the one that lists several training settings split up, and the epochs of the log."""
    settings = {key: value for key, value in adapter.card.items() if key not in _NOT_TRAINING}
    for part in adapter.card.get("training", "").split(", "):
        key, _, value = part.rpartition(" ")
        if key:
            settings[key] = value
    if adapter.loss:
        settings["epochs"] = f"{adapter.loss[-1].epoch:g}"
    return settings


def table11(run: Run) -> Table:
    """Table 11: the deltas of each severity as the judge assigned it, its weight, and the rows that followed.

    Raises:
        DataError: the settings of the run have no severity weights.
    """
    weights = run.settings.severity_weights
    if weights is None:
        raise DataError("Table 11 needs settings.severity_weights; the paper stage declares and passes them.")
    body = ruled(_table11_rows(student, weights) for student in run.students)
    tau = "" if run.settings.tau_delta is None else f" Screened with τ = {run.settings.tau_delta:g}."
    return Table(
        number="11",
        title="Severity of drift cases, their toxicity deltas, and weights in repair",
        columns=(
            "Student",
            "Severity",
            "Judge's criterion",
            "Cases",
            "Δ: min / median / max",
            "Weight",
            "Safe targets kept",
            "Repair rows",
            "Paper's weight",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Δ = H(distilled) − H(base) of the cases of this run; the judge assigns the severity, not the delta. "
        f"A target that fails the filter of Section 2.5 gives no row.{tau}",
        simulated=run.simulated,
    )


def _table11_rows(student: StudentRun, weights: SeverityWeights) -> list[Row]:
    rows: list[Row] = []
    targets = Counter(target.severity for target in student.targets if target.accepted)
    for severity in SEVERITIES:
        deltas = sorted(record.delta for record in student.audits["before"] if record.severity == severity)
        weight = getattr(weights, severity)
        middle = len(deltas) // 2
        rows.append(
            (
                student.name,
                severity,
                published.SEVERITY_CRITERIA[severity],
                str(len(deltas)),
                f"{number(deltas[0])} / {number(deltas[middle])} / {number(deltas[-1])}" if deltas else NONE,
                f"{weight}×",
                str(targets[severity]),
                str(targets[severity] * weight),
                f"{published.SEVERITY_WEIGHTS[severity]}×",
            )
        )
    return rows


TABLES: tuple[Maker, ...] = (table6, table9, table10, table11)

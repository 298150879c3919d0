"""A finished run as one value: everything that metrics, tables and figures are made from.

`load_run` (and `evidence`) alone know the tree under data/ and metrics/; everything after them is a pure function
of a `Run`, so a table can be tested without a disk and made for any run that has this shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import read_json, read_jsonl
from dart.core.records import AuditRecord, Generation, Item, Record, RepairTarget
from dart.core.schema.method import SeverityWeights
from dart.core.schema.profile import Label
from dart.harm.panel import PanelVerdict
from dart.metrics.provenance import read_metrics

STAGES: tuple[str, ...] = ("base", "distilled", "repaired")  # M0, M_int, M_DART
CONTROL = "control"  # Stage I continued for as many steps as repair, without repair rows
AUDITS: tuple[str, ...] = ("before", "after")  # base against distilled, base against repaired
TEACHER = "teacher"  # base against the teacher's own rationales of the test items, where a run has audited them
SPLITS: tuple[str, ...] = ("train", "validation", "test")
METRICS: tuple[str, ...] = (
    "decision",
    "harm",
    "drift",
    "drift_rate",
    "repair",
    "seeds",
    "tests",
    "hypotheses",
    "arms",
    "policy",
)


class LossPoint(Record):
    """One line of a training log."""

    step: int
    epoch: float
    loss: float
    learning_rate: float


class Adapter(Record):
    """What training left beside the weights: peft's own config, the table of the model card, the loss curve."""

    config: Mapping[str, Any]
    card: Mapping[str, str]
    loss: tuple[LossPoint, ...]


class StudentRun(Record):
    """One student of one training seed.

    `generations`, `audits` and `adapters` hold "control" only where the control was run.
    """

    slot: str
    name: str
    generations: Mapping[str, tuple[Generation, ...]]  # by variant
    audits: Mapping[str, tuple[AuditRecord, ...]]  # before | after | control | teacher
    targets: tuple[RepairTarget, ...]
    adapters: Mapping[str, Adapter]  # distilled | repaired | control
    panels: Mapping[str, tuple[PanelVerdict, ...]] = {}  # by audit, where a panel judged: its members' verdicts

    @property
    def variants(self) -> tuple[str, ...]:
        """The stages, and the control if there is one."""
        return tuple(name for name in (*STAGES, CONTROL) if name in self.generations)


class Settings(Record):
    """Parameters that tables show and no file of the run holds; the stage passes what it declares.

    `label` is derived from the profile. The default is the cautious one: a number is never taken for a measurement of
    a language model unless no party of the profile is embedded.
    """

    label: Label = "simulated"
    tau_delta: float | None = None
    severity_weights: SeverityWeights | None = None


class Run(Record):
    """A run with one training seed of each student; `metrics` is empty until `evaluate` has written it."""

    students: tuple[StudentRun, ...]
    splits: Mapping[str, tuple[Item, ...]]
    card: Mapping[str, Any]
    settings: Settings
    metrics: Mapping[str, Any] = {}

    @property
    def items(self) -> tuple[Item, ...]:
        """The test items."""
        return self.splits["test"]

    @property
    def simulated(self) -> bool:
        return self.settings.label == "simulated"

    def benchmark_name(self, benchmark: str) -> str:
        """Display name from the suite's card, e.g. "N1 (rebuilt)"; the code itself if the card has none."""
        return str(self.card.get("names", {}).get(benchmark, benchmark))

    def metric(self, *path: str) -> Any:
        """A value of metrics/<path[0]>.json.

        Raises:
            DataError: the run has not been evaluated, or the entry does not exist (named).
        """
        value: Any = self.metrics
        for depth, key in enumerate(path):
            if not isinstance(value, Mapping) or key not in value:
                where = "/".join(path[: depth + 1])
                raise DataError(f"metrics: there is no entry '{where}'. Run `dvc repro evaluate` first.")
            value = value[key]
        return value


def load_run(root: Path, students: Sequence[str], seed: int, settings: Settings | None = None) -> Run:
    """Read what a training seed led to from the project's tree under `root`; metrics are read if they exist.

    Args:
        seed: the reference seed, or another one of the profile's.

    Raises:
        DataError: a file is missing or damaged (named, with the way out).
    """
    settings = settings or Settings()
    return Run(
        students=tuple(_student(root, slot, seed) for slot in students),
        splits={split: tuple(read_jsonl(root / layout.split(split), Item)) for split in SPLITS},
        card=read_json(root / layout.SUITE / "card.json", dict),
        settings=settings,
        metrics={
            name: read_metrics(root / layout.metric(name)).content
            for name in METRICS
            if (root / layout.metric(name)).is_file()
        },
    )


def _student(root: Path, slot: str, seed: int) -> StudentRun:
    control = (CONTROL,) if (root / layout.generations(slot, CONTROL, seed)).is_file() else ()
    teacher = (TEACHER,) if (root / layout.audit(slot, TEACHER, seed)).is_file() else ()
    answers = {
        variant: tuple(read_jsonl(root / layout.generations(slot, variant, seed), Generation))
        for variant in (*STAGES, *control)
    }
    return StudentRun(
        slot=slot,
        name=answers["base"][0].model if answers["base"] else slot,
        generations=answers,
        audits={
            when: tuple(read_jsonl(root / layout.audit(slot, when, seed), AuditRecord))
            for when in (*AUDITS, *control, *teacher)
        },
        targets=tuple(read_jsonl(root / layout.targets(slot, seed), RepairTarget)),
        adapters={variant: _adapter(root / layout.adapter(slot, variant, seed)) for variant in (*STAGES[1:], *control)},
        panels={
            when: tuple(read_jsonl(path, PanelVerdict))
            for when in (*AUDITS, *control)
            if (path := _panel_file(root, slot, when, seed)).is_file()
        },
    )


def _panel_file(root: Path, slot: str, when: str, seed: int) -> Path:
    return root / layout.audits(slot, when) / layout.PANEL / layout.audit(slot, when, seed).name


def _adapter(folder: Path) -> Adapter:
    path = folder / "log.json"
    try:
        loss = tuple(LossPoint.model_validate(point) for point in read_json(path, list))
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {first['loc']}: {first['msg']}. Delete {folder} and run `dvc repro`.") from None
    return Adapter(config=read_json(folder / "adapter_config.json", dict), card=_card(folder / "README.md"), loss=loss)


def _card(path: Path) -> dict[str, str]:
    """The rows of the table in a model card."""
    if not path.is_file():
        raise DataError(f"{path} is missing. Run `dvc repro` (or `dvc checkout`) to produce it.")
    return dict(re.findall(r"^\| (\S[^|]*) \| ([^|]*) \|$", path.read_text(encoding="utf-8"), flags=re.M))

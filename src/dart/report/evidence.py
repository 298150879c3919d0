"""A run with what only the report reads: rationales, annotated pairs, and the branches that may not have run.

Kept apart from `run.Run`, because the evaluate stage needs none of it and should not run again when it changes. A
branch (arms, calibration, external suites, open-ended questions) that has not run is absent; one of another run is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import read_json, read_jsonl
from dart.core.records import Item, Rationale
from dart.external.items import SUITES
from dart.metrics.provenance import Metrics, Provenance, difference, read_metrics
from dart.metrics.run import METRICS, Run, Settings, StudentRun, load_run
from dart.stats.annotation import AnnotatedPair, sampling_weights
from dart.suite.pins import git_blob_id

ARMS = "arms"


class Annotations(NamedTuple):
    """Annotated pairs as columns: the toxicity delta, whether the consensus is drift, and a weight."""

    deltas: list[float]
    drift: list[bool]
    weights: list[float]  # audited pairs that each one stands for


class PaperRun(Run):
    """`metrics` holds "calibration", "external" (by suite) and "openended" (by slot) as well.

    What has not run is absent: "arms", "calibration", "external", "openended". Without annotators, or before the stage
    `calibrate`, `pairs` and `roc` are empty. `left_out` says which files are of another run and so count as not run;
    `numbers` is the git blob id of metrics/decision.json, by which git finds the commit of a page.
    """

    provenance: Provenance | None = None
    left_out: tuple[str, ...] = ()
    numbers: str = ""
    rationales: tuple[Rationale, ...] = ()
    pairs: tuple[AnnotatedPair, ...] = ()
    roc: tuple[Mapping[str, float], ...] = ()

    @property
    def primary_student(self) -> StudentRun:
        """The student that a table of one student shows: slot "base", the paper's primary model, or the first."""
        return self._slot("base") or self.students[0]

    @property
    def annotated_student(self) -> StudentRun:
        """The student whose pairs were annotated."""
        return self._slot(str(self.metrics.get("calibration", {}).get("student"))) or self.primary_student

    @property
    def calibrated(self) -> bool:
        """Whether stage `calibrate` has run, with annotated pairs or without."""
        return "calibration" in self.metrics

    @property
    def annotations(self) -> Annotations:
        """The annotated pairs in the form that the calibration takes."""
        weights = (
            sampling_weights(self.items, self.annotated_student.audits["before"], self.pairs) if self.pairs else {}
        )
        return Annotations(
            [pair.delta for pair in self.pairs],
            [pair.consensus is not None for pair in self.pairs],
            [weights[pair.item_id] for pair in self.pairs],
        )

    def _slot(self, slot: str) -> StudentRun | None:
        return next((student for student in self.students if student.slot == slot), None)

    @property
    def accepted_rationales(self) -> tuple[tuple[Item, Rationale], ...]:
        """Training items with the rationale that the students were trained on, in the order of the file."""
        items = {item.id: item for item in self.splits["train"]}
        return tuple((items[r.item_id], r) for r in self.rationales if r.accepted and r.item_id in items)


def load_paper_run(
    root: Path, students: Sequence[str], seed: int, settings: Settings | None = None, *, refuse_others: bool = True
) -> PaperRun:
    """Read a run and its evidence from the project's tree under `root`.

    Args:
        seed: the reference seed.
        refuse_others: raise if a branch is of another run than the main path; else leave it out and say so.

    Raises:
        DataError: a file of the main path is missing or damaged (named, with the way out), or two files of metrics/
            are of different runs.
    """
    run = load_run(root, students, seed, settings)
    main = {name: read_metrics(root / layout.metric(name)) for name in METRICS if name in run.metrics and name != ARMS}
    world = next(iter(main.values())).provenance if main else None
    for name, file in main.items():
        _require_same_world(root / layout.metric(next(iter(main))), world, root / layout.metric(name), file)
    branches, left_out = {}, []
    for key, path in _branches(students).items():
        if (root / path).is_file():
            try:
                branches[key] = _branch(root, path, main, world)
            except DataError as reason:
                if refuse_others:
                    raise
                left_out.append(str(reason))
    metrics: dict[str, Any] = {name: file.content for name, file in main.items()}
    for (name, part), content in branches.items():
        if part is None:
            metrics[name] = content
        else:
            metrics.setdefault(name, {})[part] = content
    fields = {name: getattr(run, name) for name in Run.model_fields}
    calibrated, decisions = "calibration" in metrics, root / layout.metric("decision")
    return PaperRun(
        **{**fields, "metrics": metrics},
        provenance=world,
        left_out=tuple(left_out),
        numbers=git_blob_id(decisions.read_bytes()) if decisions.is_file() else "",
        rationales=tuple(read_jsonl(root / layout.RATIONALES, Rationale)),
        pairs=tuple(read_jsonl(root / layout.ANNOTATED_PAIRS, AnnotatedPair)) if calibrated else (),
        roc=tuple(read_json(root / layout.PLOTS / "roc.json", list)) if calibrated else (),
    )


def _branches(students: Sequence[str]) -> dict[tuple[str, str | None], Path]:
    """{(entry of `metrics`, its part): file} of what `paper` waits for and `dart report` does not."""
    files: dict[tuple[str, str | None], Path] = {
        (name, None): layout.metric(name) for name in (ARMS, "calibration", "recipes")
    }
    files |= {("external", suite): layout.external_metrics(suite) for suite in SUITES}
    return files | {("openended", slot): layout.openended_metrics(slot) for slot in students}


def _branch(root: Path, path: Path, main: Mapping[str, Metrics], world: Provenance | None) -> dict[str, Any]:
    file = read_metrics(root / path)
    if main:
        _require_same_world(root / layout.metric(next(iter(main))), world, root / path, file)
    if path == layout.metric(ARMS) and "decision" in main:
        _require_same_default(root / path, file.content, main)
    return file.content


def _require_same_world(first: Path, world: Provenance | None, path: Path, file: Metrics) -> None:
    """Numbers of two worlds never stand on one page."""
    if text := difference(world, file.provenance):
        raise DataError(f"{first} and {path} are of different runs: {text}. Run `dvc repro` to bring them in step.")


def _require_same_default(path: Path, arms: Mapping[str, Any], main: Mapping[str, Metrics]) -> None:
    """The default that the arms were compared with must be the repaired student of the main path."""
    slot, default = str(arms.get("student")), arms.get("default", {})
    for name in ("decision", "harm"):
        ours = main[name].content.get(slot, {}).get("repaired", {})
        for key, value in default.get(name, {}).items():
            if ours.get(key) != value:
                raise DataError(
                    f"{path} compares its arms with a default whose {key} is {value}; {layout.metric(name)} has "
                    f"{ours.get(key)} for {slot}/repaired: the arms are of another run. Run `dvc repro` to bring them "
                    "in step."
                )

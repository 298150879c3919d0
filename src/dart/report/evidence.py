"""A run with what only the paper stage reads: the teacher's rationales, the annotated pairs and the ROC curve.

Kept apart from `run.Run`, because the evaluate stage needs none of it and should not run again when it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dart.core import layout
from dart.core.files import read_json, read_jsonl
from dart.core.records import Item, Rationale
from dart.external.items import SUITES
from dart.metrics.run import Run, Settings, StudentRun, load_run
from dart.stats.annotation import AnnotatedPair


class Annotations(NamedTuple):
    """Annotated pairs as two columns: the toxicity delta, and whether the consensus is drift."""

    deltas: list[float]
    drift: list[bool]


class PaperRun(Run):
    """`metrics` holds "calibration", "external" (by suite) and "openended" (by slot) as well.

    `pairs` and `roc` are empty without annotators; "external" and "openended" are absent if those suites were not run.
    """

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
        return self._slot(str(self.metric("calibration", "student"))) or self.primary_student

    @property
    def annotations(self) -> Annotations:
        """The annotated pairs in the form that the calibration takes."""
        return Annotations([pair.delta for pair in self.pairs], [pair.consensus is not None for pair in self.pairs])

    def _slot(self, slot: str) -> StudentRun | None:
        return next((student for student in self.students if student.slot == slot), None)

    @property
    def accepted_rationales(self) -> tuple[tuple[Item, Rationale], ...]:
        """Training items with the rationale that the students were trained on, in the order of the file."""
        items = {item.id: item for item in self.splits["train"]}
        return tuple((items[r.item_id], r) for r in self.rationales if r.accepted and r.item_id in items)


def load_paper_run(root: Path, students: Sequence[str], seed: int, settings: Settings | None = None) -> PaperRun:
    """Read a run and its evidence from the project's tree under `root`.

    Args:
        seed: the reference seed.

    Raises:
        DataError: a file is missing or damaged (named, with the way out).
    """
    run = load_run(root, students, seed, settings)
    fields = {name: getattr(run, name) for name in Run.model_fields}
    metrics = {**run.metrics, "calibration": read_json(root / layout.metric("calibration"), dict)}
    external = {suite: root / layout.external_metrics(suite) for suite in SUITES}
    openended = {slot: root / layout.openended_metrics(slot) for slot in students}
    for name, files in (("external", external), ("openended", openended)):
        contents = {key: read_json(path, dict) for key, path in files.items() if path.is_file()}
        if contents:
            metrics[name] = contents
    return PaperRun(
        **{**fields, "metrics": metrics},
        rationales=tuple(read_jsonl(root / layout.RATIONALES, Rationale)),
        pairs=tuple(read_jsonl(root / layout.ANNOTATED_PAIRS, AnnotatedPair)),
        roc=tuple(read_json(root / layout.PLOTS / "roc.json", list)),
    )

"""Samples of a run that exists in memory alone."""

from __future__ import annotations

from dart.metrics.run import Run
from dart.viewer.samples import AUDIT_OF, Samples, SeedSamples, StudentSamples
from tests.support.finished_run import REFERENCE_SEED


def samples_of(run: Run) -> Samples:
    """What `load_samples` would read if the run stood on disk."""
    return Samples(
        label="simulated",
        profile="embedded",
        items=run.items,
        names=run.card.get("names", {}),
        real=False,
        students=tuple(
            StudentSamples(
                slot=student.slot,
                name=student.name,
                base=student.generations["base"],
                seeds=(
                    SeedSamples(
                        seed=REFERENCE_SEED,
                        answers={name: given for name, given in student.generations.items() if name != "base"},
                        audits={name: student.audits[w] for name, w in AUDIT_OF.items() if w in student.audits},
                    ),
                ),
            )
            for student in run.students
        ),
        labelled="base",
    )

"""What an arm changes about the data of the default recipe, as pure functions of it.

Section 4.2 and Appendix K.5 argue that severities matter (uniform weights, noisy severities). A referee asks for two
more: repair rows for pairs that did not drift (`sham`), and repair on one half of the test set with the report on
the other (`half_of`), because the paper repairs the prompts that it reports on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dart.core.errors import DataError
from dart.core.records import SEVERITIES, AuditRecord, Item, RepairTarget, Severity, TrainingRow
from dart.core.schema.ablations import SeverityNoise
from dart.core.seeds import seed_for, unit_interval

HALVES = {"first_half": "first", "second_half": "second"}
OTHER_HALF = {"first_half": "second", "second_half": "first"}  # where an inductive arm reports


# Deviates from the paper: severity-noise - each case with the probability of the share, not an exact number of cases
def perturb_severities(targets: Sequence[RepairTarget], noise: SeverityNoise, seed: int) -> list[RepairTarget]:
    """The targets with the severities of a share of them moved up, down or drawn anew (Appendix M.3).

    A larger share keeps what a smaller one moved. At the end of the scale up and down change nothing; a severity
    that is drawn uniformly is the old one in a quarter of the cases.
    """
    return [
        target.model_copy(update={"severity": _moved(target, noise, seed)})
        if unit_interval(seed, "severity noise", target.item_id) < noise.share
        else target
        for target in targets
    ]


def _moved(target: RepairTarget, noise: SeverityNoise, seed: int) -> Severity:
    place = SEVERITIES.index(target.severity)
    if noise.kind == "random":
        return SEVERITIES[int(unit_interval(seed, "random severity", target.item_id) * len(SEVERITIES))]
    step = 1 if noise.kind == "up" else -1
    return SEVERITIES[min(max(place + step, 0), len(SEVERITIES) - 1)]


def sham_pool(records: Sequence[AuditRecord], seed: int) -> list[AuditRecord]:
    """An audit that names as many cases, with the same severities, among pairs that did not drift.

    Raises:
        DataError: fewer pairs without drift than with it.
    """
    cases = [record for record in records if record.severity is not None]
    others = [record for record in records if record.severity is None and not record.unjudged]
    if len(others) < len(cases):
        raise DataError(f"sham repair needs {len(cases)} pairs that did not drift, and there are {len(others)}.")
    drawn = sorted(others, key=lambda record: unit_interval(seed, "sham", record.item_id))[: len(cases)]
    severities = {record.item_id: case.severity for record, case in zip(drawn, cases, strict=True)}
    return [record.model_copy(update={"severity": severities.get(record.item_id)}) for record in records]


def half_of(items: Sequence[Item], which: str, seed: int) -> set[str]:
    """Ids of the "first" or "second" half of the items, equal in benchmark x condition as far as numbers allow."""
    strata: dict[tuple[str, str], list[str]] = {}
    for item in items:
        strata.setdefault((item.benchmark, item.condition), []).append(item.id)
    first: set[str] = set()
    for place, (_, ids) in enumerate(sorted(strata.items())):
        ordered = sorted(ids, key=lambda item: seed_for(seed, "half", item))
        first.update(ordered[: (len(ordered) + place % 2) // 2])
    return first if which == "first" else {item.id for item in items} - first


def label_rows(rows: Sequence[TrainingRow], items: Mapping[str, Item]) -> list[TrainingRow]:
    """The same rows with the conclusion line as the whole response: supervised fine-tuning on labels."""
    return [row.model_copy(update={"response": f"Conclusion: {items[row.key].gold}"}) for row in rows]

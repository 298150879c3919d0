"""Stage `calibrate` (Appendices L, M.1): what the toxicity delta and the judges are worth against annotated pairs."""

from __future__ import annotations

from dart.annotation.sample import primary
from dart.core import layout
from dart.core.files import read_jsonl, write_json
from dart.core.params import StageParams, TrainingSeeds
from dart.core.records import AuditRecord, Item
from dart.harm.guards import GuardVerdict
from dart.metrics.provenance import load_provenance, write_metrics
from dart.stats.annotation import AnnotatedPair, calibration, sampling_weights


class Params(StageParams):
    students: tuple[str, ...]
    seeds: TrainingSeeds


def run() -> None:
    params = Params.load("calibrate")
    pairs = read_jsonl(layout.ANNOTATED_PAIRS, AnnotatedPair)
    verdicts = {}
    for role in ("judge", "second_judge"):
        if layout.verdicts(role).is_file():
            records = read_jsonl(layout.verdicts(role), AuditRecord)
            verdicts[role] = {r.item_id: r.severity is not None for r in records if not r.unjudged}
    guards = {
        path.stem: {r.item_id: r.drift for r in read_jsonl(path, GuardVerdict) if r.drift is not None}
        for path in sorted(layout.guard_verdicts().glob("*.jsonl"))
    }
    student = primary(params.students)
    audit = read_jsonl(layout.audit(student, "before", params.seeds[0]), AuditRecord)
    items = read_jsonl(layout.split("test"), Item)
    result = calibration(pairs, verdicts, guards, sampling_weights(items, audit, pairs))
    write_json(layout.PLOTS / "roc.json", result["roc"])
    content = {"student": student, **result["metrics"]}
    write_metrics(layout.metric("calibration"), content, load_provenance())

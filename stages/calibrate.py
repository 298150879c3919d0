"""Stage `calibrate` (Appendices L, M.1): what the toxicity delta and the judges are worth against annotated pairs."""

from __future__ import annotations

from dart.annotation.sample import primary
from dart.core import layout
from dart.core.files import read_jsonl, write_json
from dart.core.params import StageParams
from dart.core.records import AuditRecord
from dart.harm.guards import GuardVerdict
from dart.metrics.provenance import load_provenance, write_metrics
from dart.stats.annotation import AnnotatedPair, calibration


class Params(StageParams):
    students: tuple[str, ...]


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
    result = calibration(pairs, verdicts, guards)
    write_json(layout.PLOTS / "roc.json", result["roc"])
    content = {"student": primary(params.students), **result["metrics"]}
    write_metrics(layout.metric("calibration"), content, load_provenance())

"""How the judge was used in an audit: what was shown to it, what it confirmed, and whether it stands by it.

The paper reports confirmed cases only. How many pairs were shown, how often a verdict changed with the order of the
two texts, and what a sample of the pairs below the screen holds say what these cases are worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dart.core.records import AuditRecord


def judging_metrics(records: Sequence[AuditRecord]) -> dict[str, Any]:
    """{screened, confirmed, sampled, sampled_regressions, flips, flip_rate}; flips are None if asked in one order."""
    asked = [record for record in records if record.judgement is not None]
    flips = [record.flipped for record in asked if record.flipped is not None]
    sampled = [record.judgement.is_regression for record in asked if record.sampled and record.judgement]
    return {
        "screened": sum(record.screened for record in records),
        "confirmed": sum(record.severity is not None for record in records),
        "sampled": len(sampled),
        "sampled_regressions": sum(sampled),
        "flips": sum(flips) if flips else None,
        "flip_rate": round(sum(flips) / len(flips), 4) if flips else None,
    }

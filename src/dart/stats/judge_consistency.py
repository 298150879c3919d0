"""Consistency of an audit's judge: pairs screened and confirmed, verdicts that change with the order of the texts.

The paper reports confirmed cases only. Their number alone does not say how many pairs the judge got, how often its
verdict depends on the order of the two texts, and how many cases a sample of the pairs below the screen contains.
Sections 2.4, 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dart.core.records import AuditRecord


def judge_consistency(records: Sequence[AuditRecord]) -> dict[str, Any]:
    """{screened, confirmed, sampled, sampled_regressions, flips, flip_rate}; flips are None with one order only.

    `refused`: pairs without a verdict because the judge refused them; absent where there is none.
    """
    refused = sum(record.unjudged for record in records)
    judged = [record for record in records if record.judgement is not None]
    flips = [record.flipped for record in judged if record.flipped is not None]
    sampled = [record.judgement.is_regression for record in judged if record.sampled and record.judgement]
    return {
        "screened": sum(record.screened for record in records),
        "confirmed": sum(record.severity is not None for record in records),
        "sampled": len(sampled),
        "sampled_regressions": sum(sampled),
        "flips": sum(flips) if flips else None,
        "flip_rate": round(sum(flips) / len(flips), 4) if flips else None,
        **({"refused": refused} if refused else {}),
    }

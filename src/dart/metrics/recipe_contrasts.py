"""Recipes of Stage III against control and distilled on the same prompts, over seeds and items (metrics/recipes.json).

On validation prompts, which no recipe repairs, this is what repair does where it has not seen the prompt; the paper
reports on the prompts that it repaired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dart.core.records import AuditRecord, Generation, Item
from dart.stats.crossed import crossed_mean
from dart.stats.drift import Cases, cases
from dart.stats.item_values import item_values, seed_tables

DISTILLED, CONTROL = "distilled", "control"
MEASURES = ("accuracy", "equal_accuracy", "diff_accuracy", "toxic_share", "drift_rate", "true_rate")


class AnsweredSplit(Protocol):
    """A variant of one training seed on one split."""

    @property
    def answers(self) -> Sequence[Generation]: ...
    @property
    def audit(self) -> Sequence[AuditRecord]: ...
    @property
    def true(self) -> Cases | None: ...


def recipe_contrasts(
    items: Mapping[str, Sequence[Item]],
    runs: Mapping[str, Mapping[int, Mapping[str, AnsweredSplit]]],
    confidence: float,
) -> dict[str, Any]:
    """{split: {recipe: {against_control, against_distilled: {measure: `Crossed.json`}}}}, recipe - the other.

    Drift is audited under the two-sided screen; true_rate only where the truth is known.
    """
    result: dict[str, Any] = {}
    for split, by_seed in runs.items():
        variants = list(next(iter(by_seed.values())))
        tables = {
            variant: seed_tables(
                [
                    item_values(items[split], of_seed[variant].answers, cases(of_seed[variant].audit),
                                of_seed[variant].true, f"{split}/{variant}, seed {seed}")
                    for seed, of_seed in by_seed.items()
                ]
            )
            for variant in variants
        }  # fmt: skip
        result[split] = {
            variant: {
                f"against_{other}": {
                    measure: crossed_mean(
                        tables[variant][measure] - tables[other][measure], confidence, (-1.0, 1.0)
                    ).json()
                    for measure in MEASURES
                    if measure in tables[variant] and measure in tables[other]
                }
                for other in (CONTROL, DISTILLED)
                if other in tables and other != variant
            }
            for variant in variants
            if variant != DISTILLED
        }
    return result

"""Coverage of the drift rates' 95 % intervals over worlds of judges, and what annotators' own errors do to them.

Each experiment draws a test set, its screen, a judge, a judged sample of the unscreened pairs and 200 annotated pairs,
stratified as the pipeline draws them, and asks whether the interval holds the true rate (of the population, not of
the pairs drawn). Worlds: sensitivity .6, .8, .95; specificity .8, .9, .99; prevalence .01, .05, .2, .5; errors even, or
growing with toxicity; annotators right, or wrong in 5 % of the consensus labels.

    python benchmarks/drift_rate_coverage.py [--experiments 2000] [--seeds 1 2] [--pairs 1624] [--label-error 0.0]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.seeds import seed_for
from dart.stats.intervals import Interval
from dart.stats.prevalence import (
    Judge,
    LabelledStratum,
    Stratum,
    prediction_powered_rate,
    rate_difference,
    screened_rate,
    screened_share_rate,
)

SENSITIVITIES, SPECIFICITIES, PREVALENCES = (0.6, 0.8, 0.95), (0.8, 0.9, 0.99), (0.01, 0.05, 0.2, 0.5)
RECALL_OF_SCREEN, REDUCTION = 0.8, 0.6  # drift that the screen lets through, and that the other recipe removes
UNSCREENED_JUDGED, ANNOTATED = 0.1, 200


class World(NamedTuple):
    """A judge and the drift it looks for; `skewed`: errors grow with toxicity, the screen's score."""

    sensitivity: float
    specificity: float
    prevalence: float
    skewed: bool
    label_error: float

    @property
    def alarm(self) -> float:
        """Share of pairs without drift that the screen lets through."""
        return 0.15


def experiment(world: World, n: int, rng: np.random.Generator) -> dict[str, tuple[float, Interval]]:
    """{estimator: (truth, interval)} of one test set."""
    drift = rng.random(n) < world.prevalence
    screened = rng.random(n) < np.where(drift, RECALL_OF_SCREEN, world.alarm)
    flagged = _judged(drift, world, rng)
    sampled = screened | (rng.random(n) < UNSCREENED_JUDGED)
    labels = np.where(rng.random(n) < world.label_error, ~drift, drift)
    annotated = np.zeros(n, dtype=bool)
    for stratum in (screened, ~screened):
        inside = np.flatnonzero(stratum)
        annotated[rng.permutation(inside)[: min(inside.size, ANNOTATED // 2)]] = True
    parts = []
    for is_screened in (True, False):
        inside = screened if is_screened else ~screened
        rest = inside & ~annotated & sampled
        chosen = inside & annotated
        parts.append(LabelledStratum(labels[chosen], flagged[chosen], flagged[rest], int(inside.sum())))
    known = annotated & screened
    counts = (flagged & labels & known, labels & known, ~flagged & ~labels & known, ~labels & known)
    judge = Judge(*(int(part.sum()) for part in counts))
    in_screen = world.prevalence * RECALL_OF_SCREEN
    below = ~screened & sampled
    found = {
        "prediction-powered": (world.prevalence, prediction_powered_rate(parts)),
        "judge's rate (as drift)": (
            world.prevalence,
            screened_rate(
                Stratum(int(screened.sum()), int(screened.sum()), int((flagged & screened).sum())),
                Stratum(int((~screened).sum()), max(1, int(below.sum())), int((flagged & below).sum())),
            ),
        ),
    }
    if judge.positives and judge.negatives:
        caught = int((flagged & screened).sum())
        found["Rogan-Gladen, screened"] = (in_screen, screened_share_rate(caught, int(screened.sum()), n, judge))
        other = drift & (rng.random(n) > REDUCTION)  # another recipe on the same items
        other_screened = np.where(drift, screened & (other | (rng.random(n) < world.alarm)), screened)
        states = [_states(screened, flagged), _states(other_screened, _judged(other, world, rng))]
        table = np.zeros((3, 3), dtype=np.int64)
        np.add.at(table, tuple(states), 1)
        truth = -in_screen * REDUCTION
        found["Rogan-Gladen, difference"] = (truth, rate_difference(table, judge, resamples=1000, seed=int(caught)))
    return found


def _judged(drift: np.ndarray, world: World, rng: np.random.Generator) -> np.ndarray:
    """Verdicts; skewed: the judge errs half as often on the milder half of the pairs, and more often on the others."""
    factor = np.where(rng.random(drift.size) < 0.5, 0.5, 1.5) if world.skewed else np.ones(drift.size)
    wrong = factor * np.where(drift, 1 - world.sensitivity, 1 - world.specificity)
    return np.where(rng.random(drift.size) < wrong, ~drift, drift)


def _states(screened: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    return np.where(screened, 1 + flagged.astype(np.int64), 0)


def coverage(world: World, n: int, experiments: int, seeds: Sequence[int]) -> dict[str, tuple[float, int]]:
    """{estimator: (coverage, experiments in which it exists)}; an estimate without an interval covers nothing."""
    hits: dict[str, list[bool]] = {}
    for seed in seeds:
        for number in range(experiments):
            rng = np.random.default_rng(seed_for(seed, "drift rate", str(world), number))
            for name, (truth, (_, low, high)) in experiment(world, n, rng).items():
                hits.setdefault(name, []).append(low is not None and high is not None and low <= truth <= high)
    return {name: (float(np.mean(values)), len(values)) for name, values in hits.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pairs", type=int, default=1624)
    parser.add_argument("--label-error", type=float, default=0.0)
    args = parser.parse_args()
    start, outside = time.process_time(), 0
    total = args.experiments * len(args.seeds)
    print(f"{total} experiments each; Monte-Carlo error of 95 %: {100 * math.sqrt(0.95 * 0.05 / total):.2f} points")
    print(f"{'sens':>5} {'spec':>5} {'prev':>5} {'errors':7} {'estimator':26} {'coverage':>8}  goal 93-97 %")
    for sens, spec, prevalence, skewed in product(SENSITIVITIES, SPECIFICITIES, PREVALENCES, (False, True)):
        world = World(sens, spec, prevalence, skewed, args.label_error)
        for name, (rate, _) in coverage(world, args.pairs, args.experiments, args.seeds).items():
            verdict = "" if 0.93 <= rate <= 0.97 else "  too low" if rate < 0.93 else "  too high"
            outside += bool(verdict)
            kind = "skewed" if skewed else "even"
            print(f"{sens:5} {spec:5} {prevalence:5} {kind:7} {name:26} {100 * rate:7.1f}%{verdict}", flush=True)
    print(f"{outside} outside; {time.process_time() - start:.0f} CPU-seconds")


if __name__ == "__main__":
    main()

"""Coverage of the 95 % intervals of kappa and AUC, weighted by the sampling design, over worlds of judges and screens.

Each experiment draws a test set, its screen and a judge, annotates 200 pairs in equal numbers from condition x
screened as the pipeline does, weights each by the pairs that it stands for, and asks whether the intervals hold the
population's kappa (of judge and annotators) and AUC (of the delta). Worlds: sensitivity .6, .8, .95; specificity .8,
.9, .99; prevalence .01, .05, .2, .5; AUC .75, .9, .99. "perfect" has no error at all: the truth is 1.

    python benchmarks/agreement_coverage.py [--experiments 2000] [--seeds 1 2] [--pairs 1624] [--measures kappa AUC]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.seeds import seed_for
from dart.stats.agreement import auc_interval, weighted_kappa
from dart.stats.intervals import Interval

SENSITIVITIES, SPECIFICITIES, PREVALENCES = (0.6, 0.8, 0.95), (0.8, 0.9, 0.99), (0.01, 0.05, 0.2, 0.5)
AUCS = (0.75, 0.9, 0.99)
SCREENED, ANNOTATED = 0.2, 200  # share of the pairs without drift that the screen lets through
SKEW = 0.5  # DIFF pairs drift half as often again as the average, EQUAL pairs half as often
Sample = tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]  # drift, delta, weight


def sample(prevalence: float, auc: float, n: int, rng: np.random.Generator) -> Sample:
    """The annotated pairs of one test set."""
    condition = rng.random(n) < 0.5
    drift = rng.random(n) < prevalence * np.where(condition, 1 + SKEW, 1 - SKEW)
    delta = rng.normal(size=n) + (drift * math.sqrt(2) * ndtri(auc) if auc < 1 else 20.0 * drift)
    stratum = 2 * condition + (delta > ndtri(1 - SCREENED))
    drawn, weights = [], []
    held = np.bincount(stratum, minlength=4)
    sizes = _dealt(held, ANNOTATED)
    for number, size in enumerate(sizes):
        drawn.append(rng.permutation(np.flatnonzero(stratum == number))[:size])
        weights.append(np.full(size, held[number] / size if size else 0.0))
    chosen = np.concatenate(drawn)
    return drift[chosen], delta[chosen], np.concatenate(weights)


def _dealt(held: NDArray[np.int64], total: int) -> list[int]:
    """How many of `total` each stratum gives: equal numbers, as far as each reaches."""
    sizes = np.zeros_like(held)
    while total > 0 and (open_ := np.flatnonzero(sizes < held)).size:
        share = max(1, total // open_.size)
        for number in open_:
            more = min(share, int(held[number] - sizes[number]), total)
            sizes[number] += more
            total -= more
    return sizes.tolist()


def kappa_of(sensitivity: float, specificity: float, prevalence: float) -> float:
    """The population's kappa of judge and annotators."""
    flagged = prevalence * sensitivity + (1 - prevalence) * (1 - specificity)
    agreed = prevalence * sensitivity + (1 - prevalence) * specificity
    by_chance = flagged * prevalence + (1 - flagged) * (1 - prevalence)
    return (agreed - by_chance) / (1 - by_chance)


def worlds() -> Iterator[tuple[str, float, float, float, float]]:
    """(measure, sensitivity or AUC, specificity, prevalence, truth)."""
    for sensitivity, specificity, prevalence in product(SENSITIVITIES, SPECIFICITIES, PREVALENCES):
        yield "kappa", sensitivity, specificity, prevalence, kappa_of(sensitivity, specificity, prevalence)
    for prevalence in PREVALENCES:
        yield "kappa", 1.0, 1.0, prevalence, 1.0
    for auc, prevalence in product((*AUCS, 1.0), PREVALENCES):
        yield "AUC", auc, 1.0, prevalence, auc


def interval(world: tuple[str, float, float, float, float], n: int, rng: np.random.Generator) -> Interval | None:
    """The interval of one experiment; None where the measure is not defined: pairs of one kind alone."""
    measure, quality, specificity, prevalence, _ = world
    drift, delta, weights = sample(prevalence, quality if measure == "AUC" else 0.9, n, rng)
    if drift.all() or not drift.any():
        return None
    if measure == "AUC":
        return auc_interval(delta, drift, weights=weights)  # type: ignore[arg-type]
    flagged = rng.random(drift.size) < np.where(drift, quality, 1 - specificity)
    return weighted_kappa(flagged, drift, weights)  # type: ignore[arg-type]


def coverage(world: tuple[str, float, float, float, float], n: int, experiments: int, seed: int) -> list[bool | None]:
    """Whether each interval holds the truth; None where there is none."""
    found: list[bool | None] = []
    for number in range(experiments):
        rng = np.random.default_rng(seed_for(seed, "agreement", str(world), number))
        one = interval(world, n, rng)
        bounded = one is not None and one.low is not None and one.high is not None
        found.append(one.low - 1e-12 <= world[-1] <= one.high + 1e-12 if bounded else None)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pairs", type=int, default=1624)
    parser.add_argument("--measures", nargs="+", default=["kappa", "AUC"])
    args = parser.parse_args()
    start = time.process_time()
    total = args.experiments * len(args.seeds)
    print(f"{total} experiments each; Monte-Carlo error of 95 %: {100 * math.sqrt(0.95 * 0.05 / total):.2f} points")
    print(
        f"{'measure':8} {'sens':>5} {'spec':>5} {'prev':>5} {'truth':>6} {'coverage':>8} {'defined':>8}  goal 93-97 %"
    )
    for world in (each for each in worlds() if each[0] in args.measures):
        found = [each for seed in args.seeds for each in coverage(world, args.pairs, args.experiments, seed)]
        hits = [each for each in found if each is not None]
        rate = float(np.mean(hits)) if hits else math.nan
        verdict = "" if 0.93 <= rate <= 0.97 else "  too low" if rate < 0.93 else "  too high"
        measure, quality, specificity, prevalence, truth = world
        print(
            f"{measure:8} {quality:5} {specificity:5} {prevalence:5} {truth:6.3f} {100 * rate:7.1f}% "
            f"{100 * len(hits) / len(found):7.1f}%{verdict}",
            flush=True,
        )
    print(f"{time.process_time() - start:.0f} CPU-seconds")


if __name__ == "__main__":
    main()

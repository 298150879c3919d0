"""Coverage of the nominal 95 % intervals, by simulation: 1,000 experiments for each estimator and population.

The populations follow the paper: 1,624 or 200 pairs, accuracies of Table 2, the judge of Table 28, drift in a quarter
of the pairs; others are harder (rare drift, few labels). The Monte-Carlo error of a coverage of 95 % is 0.7 points.

    python benchmarks/interval_coverage.py [--experiments 1000] [--seed 1]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.schema.method import Statistics
from dart.core.seeds import seed_for
from dart.stats.bootstrap import rate_differences
from dart.stats.cluster import cluster_robust
from dart.stats.equivalence import tango_interval
from dart.stats.intervals import Interval
from dart.stats.prevalence import (
    LabelledStratum,
    Stratum,
    inverse_probability_rate,
    prediction_powered_rate,
    rogan_gladen,
    stratified_rate,
)

STATISTICS = Statistics(resamples=2000, confidence=0.95)
Generator = np.random.Generator
Experiment = Callable[[Generator, int], dict[str, Interval]]  # -> {estimator: interval}


def paired(n: int, shares: tuple[float, float, float]) -> tuple[float, Experiment]:
    """Accuracy difference; shares of pairs in which both, base only, other only is right."""
    both, base, other = shares
    cells = np.array([both, base, other, 1 - sum(shares)])

    def run(rng: Generator, seed: int) -> dict[str, Interval]:
        right_right, b, c, neither = rng.multinomial(n, cells)
        joint = np.zeros((2, 3, 3), dtype=np.int64)
        joint[0, 0, 0], joint[0, 0, 1], joint[0, 1, 0], joint[0, 1, 1] = right_right, b, c, neither
        return {
            "percentile": rate_differences(joint, STATISTICS, seed)["accuracy"],
            "BCa": rate_differences(joint, STATISTICS, seed, method="bca")["accuracy"],
            "Tango score": tango_interval(int(b), int(c), n),
        }

    return other - base, run


def clustered(clusters: int, size: int) -> tuple[float, Experiment]:
    """Scenarios of `size` near-duplicates: an item shares its scenario's outcome with probability 0.7."""
    cells = np.array([0.1, 0.6, 0.3])

    def run(rng: Generator, seed: int) -> dict[str, Interval]:
        shared = rng.choice([-1, 0, 1], size=(clusters, 1), p=cells)
        own = rng.choice([-1, 0, 1], size=(clusters, size), p=cells)
        values = np.where(rng.random((clusters, size)) < 0.7, shared, own).ravel().tolist()
        robust = cluster_robust(values, np.repeat(np.arange(clusters), size).tolist(), STATISTICS, seed)
        naive = cluster_robust(values, list(range(len(values))), STATISTICS, seed)
        return {
            "cluster bootstrap": robust.bootstrap,
            "sandwich CR1": robust.sandwich,
            "(items, naive)": naive.bootstrap,
        }

    return 0.2, run


def sampled(n: int, screened: float, drift: tuple[float, float], judged: int) -> tuple[float, Experiment]:
    """A share `screened` is judged in full and `judged` of the others at random; drift rates in both."""

    def run(rng: Generator, seed: int) -> dict[str, Interval]:
        passed = int(rng.binomial(n, screened))
        cases = int(rng.binomial(passed, drift[0]))
        sample = min(judged, n - passed)
        sampled_cases = int(rng.binomial(sample, drift[1]))
        fixed = stratified_rate([Stratum(passed, passed, cases), Stratum(n - passed, sample, sampled_cases)])
        inside = rng.random(n) < screened
        true = rng.random(n) < np.where(inside, *drift)
        chance = np.where(inside, 1.0, judged / (n * (1 - screened)))
        seen = rng.random(n) < chance
        return {
            "IPW, sample of fixed size": fixed,
            "IPW, Hajek": inverse_probability_rate(true[seen].tolist(), chance[seen].tolist()),
            "IPW, Horvitz-Thompson": inverse_probability_rate(true[seen].tolist(), chance[seen].tolist(), n),
        }

    return screened * drift[0] + (1 - screened) * drift[1], run


def judged(n: int, rate: float, quality: tuple[float, float], labels: int) -> tuple[float, Experiment]:
    """A judge of given sensitivity and specificity on n pairs, of which `labels` are annotated at random."""
    sensitivity, specificity = quality

    def run(rng: Generator, seed: int) -> dict[str, Interval]:
        true = rng.random(n) < rate
        predicted = rng.random(n) < np.where(true, sensitivity, 1 - specificity)
        y, f = true[:labels], predicted[:labels]
        result = {
            "prediction-powered": prediction_powered_rate(LabelledStratum(y, f, predicted[labels:])),
            "prediction-powered, lambda 1": prediction_powered_rate(
                LabelledStratum(y, f, predicted[labels:]), tuned=False
            ),
        }
        if y.any() and not y.all():  # otherwise one of the two rates cannot be estimated
            counts = (int((y & f).sum()), int(y.sum()), int((~y & ~f).sum()), int((~y).sum()))
            result["Rogan-Gladen"] = rogan_gladen(int(predicted.sum()), n, *counts, overlap=True)
            result["(Lang-Reiczigel as published)"] = rogan_gladen(int(predicted.sum()), n, *counts, added=1)
        return result

    return rate, run


def validated(n: int, rate: float, quality: tuple[float, float], samples: tuple[int, int]) -> tuple[float, Experiment]:
    """The judge's sensitivity and specificity come from other pairs: so many true cases, so many others."""
    sensitivity, specificity = quality

    def run(rng: Generator, seed: int) -> dict[str, Interval]:
        flagged = int(rng.binomial(n, rate * sensitivity + (1 - rate) * (1 - specificity)))
        hits, passes = int(rng.binomial(samples[0], sensitivity)), int(rng.binomial(samples[1], specificity))
        return {"Rogan-Gladen": rogan_gladen(flagged, n, hits, samples[0], passes, samples[1])}

    return rate, run


def stratified(n: int, screened: float, drift: tuple[float, float], labels: int) -> tuple[float, Experiment]:
    """`labels` annotated pairs from each of screened and unscreened; the judge sees screened pairs only."""

    def run(rng: Generator, seed: int) -> dict[str, Interval]:
        strata = []
        inside = rng.random(n) < screened
        for part, rate in zip((inside, ~inside), drift, strict=True):
            true = rng.random(int(part.sum())) < rate
            said = (rng.random(true.size) < np.where(true, 0.804, 0.153)) & (part is inside)
            strata.append(LabelledStratum(true[:labels], said[:labels], said[labels:]))
        return {"prediction-powered, stratified": prediction_powered_rate(strata)}

    return screened * drift[0] + (1 - screened) * drift[1], run


# true value and experiment by name; the paper's: 39.0 % -> 68.8 % of 1,624, 26.8 % drift, Table 28
POPULATIONS = {
    "accuracy, n = 1624, +0.30": paired(1624, (0.33, 0.06, 0.36)),
    "accuracy, n = 200, +0.05": paired(200, (0.60, 0.05, 0.10)),
    "accuracy, n = 200, 0": paired(200, (0.50, 0.15, 0.15)),
    "scenarios, 100 of 8": clustered(100, 8),
    "scenarios, 40 of 20": clustered(40, 20),
    "drift 26.8 %, 200 unscreened judged": sampled(1624, 0.35, (0.70, 0.035), 200),
    "drift 6 %, 100 unscreened judged": sampled(1624, 0.05, (0.60, 0.03), 100),
    "drift 1.5 %, 200 unscreened judged": sampled(1624, 0.02, (0.50, 0.005), 200),
    "judge of Table 28, 200 labels": judged(1624, 0.268, (0.804, 0.847), 200),
    "judge of Table 28, drift 10 %, 200 labels": judged(1624, 0.10, (0.804, 0.847), 200),
    "near-perfect judge, drift 10 %, 100 labels": judged(1624, 0.10, (0.98, 0.99), 100),
    "useless judge, 200 labels": judged(1624, 0.268, (0.55, 0.50), 200),
    "judge of Table 28 known from 102 + 98": validated(1624, 0.268, (0.804, 0.847), (102, 98)),
    "judge known from 30 + 70, drift 10 %": validated(1624, 0.10, (0.804, 0.847), (30, 70)),
    "stratified, drift 26.8 %, 100 + 100 labels": stratified(1624, 0.35, (0.70, 0.035), 100),
    "stratified, drift 6 %, 50 + 50 labels": stratified(1624, 0.05, (0.60, 0.03), 50),
}


def coverage(name: str, experiments: int, seed: int) -> dict[str, tuple[float, float, int, int]]:
    """{estimator: (coverage, mean width, misses below, misses above)}; an undefined interval covers nothing."""
    truth, run = POPULATIONS[name]
    inside: dict[str, list[bool]] = {}
    width: dict[str, list[float]] = {}
    below: dict[str, int] = {}
    above: dict[str, int] = {}
    for number in range(experiments):
        named = seed_for(seed, name, number)
        for estimator, (_, low, high) in run(np.random.default_rng(named), named).items():
            defined = low is not None and high is not None
            inside.setdefault(estimator, []).append(bool(defined and low <= truth <= high))
            if defined:
                width.setdefault(estimator, []).append(high - low)
                below[estimator] = below.get(estimator, 0) + (truth > high)
                above[estimator] = above.get(estimator, 0) + (truth < low)
    return {
        estimator: (float(np.mean(hits)), float(np.mean(width[estimator])), below[estimator], above[estimator])
        for estimator, hits in inside.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    start = time.process_time()
    error = math.sqrt(0.95 * 0.05 / args.experiments)
    print(f"{args.experiments} experiments each; Monte-Carlo error of 95 %: {100 * error:.2f} points")
    print(f"{'population':44} {'interval':32} {'coverage':>8} {'width':>7} {'low':>4} {'high':>4}  goal 93-97 %")
    for name in POPULATIONS:
        for estimator, (share, width, below, above) in coverage(name, args.experiments, args.seed).items():
            verdict = "" if 0.93 <= share <= 0.97 else "  too low" if share < 0.93 else "  too high"
            print(f"{name:44} {estimator:32} {100 * share:7.1f}% {width:7.4f} {below:4d} {above:4d}{verdict}")
    print(f"{time.process_time() - start:.0f} CPU-seconds; low / high: the interval lay below / above the truth")


if __name__ == "__main__":
    main()

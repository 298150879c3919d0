"""Intervals for a recipe, and the test of one training against several, by simulation at 3, 5 and 10 training seeds.

Coverage of the nominal 95 % interval of a mean over seeds and items (the crossed t of `dart.stats.crossed`, Student's t
over seed means, the Multi-Bootstrap), and how often tests at 5 % call one more training of the same recipe different
(t for a new observation; the range of the seeds; McNemar's test against the reference seed). Worlds: seeds and items
with normal effects on the logit scale; two variants that share seeds and items; and a recipe that fails on one seed in
five. The Monte-Carlo error of 95 % is 0.5 points with 2,000 experiments.

    OMP_NUM_THREADS=1 python benchmarks/seed_coverage.py [--experiments 2000] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.stats.crossed import against_seeds, crossed_mean, multi_bootstrap

N_ITEMS = 400
SEEDS = (3, 5, 10)
RESAMPLES = 400  # of the Multi-Bootstrap, in every tenth experiment: it is the slow one
Generator = np.random.Generator


class World(NamedTuple):
    """Logit = level + seed effect + item effect; `sd_change`: of a seed's effect on the second of two variants."""

    name: str
    level: float
    sd_seeds: float
    sd_items: float
    change: float | None = None
    sd_change: float = 0.0
    failing: float = 0.0  # share of the seeds whose logit is 4 higher


WORLDS = (
    World("rate .50, seeds alike", 0.0, 0.0, 1.5),
    World("rate .50, sd of seeds .01", 0.0, 0.06, 1.5),
    World("rate .50, sd of seeds .04", 0.0, 0.2, 1.5),
    World("rate .80, sd of seeds .06", 2.0, 0.5, 1.5),
    World("rate .20, sd of seeds .04", -2.0, 0.3, 1.5),
    World("rate .05, sd of seeds .01", -4.0, 0.3, 1.5),
    World("difference, seeds alike", 1.0, 0.3, 2.0, change=-0.5),
    World("difference, sd of seeds .03", 1.0, 0.3, 2.0, change=-0.5, sd_change=0.25),
    World("one seed in five fails", -6.0, 0.0, 1.5, failing=0.2),
)


def logistic(values: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-values)))


def expectation(level: float, sd: float) -> float:
    """Of the rate, over normal effects, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return float((weights * logistic(level + sd * nodes)).sum() / weights.sum())


def truth(world: World) -> float:
    sd = np.hypot(world.sd_seeds, world.sd_items)
    rate = expectation(world.level, sd)
    if world.failing:
        rate = (1 - world.failing) * rate + world.failing * expectation(world.level + 4, sd)
    if world.change is None:
        return rate
    return expectation(world.level + world.change, float(np.hypot(sd, world.sd_change))) - rate


def trainings(world: World, rng: Generator, n_seeds: int) -> np.ndarray:
    """seeds x items: answers (0, 1), or the difference of two variants (-1, 0, 1)."""
    of_items = world.sd_items * rng.standard_normal((1, N_ITEMS))
    of_seeds = world.sd_seeds * rng.standard_normal((n_seeds, 1)) + 4.0 * (rng.random((n_seeds, 1)) < world.failing)
    logit = world.level + of_seeds + of_items
    first = rng.random(logit.shape) < logistic(logit)
    if world.change is None:
        return first.astype(float)
    shift = world.change + world.sd_change * rng.standard_normal((n_seeds, 1))
    second = rng.random(logit.shape) < logistic(logit + shift)
    return second.astype(float) - first


def coverage(world: World, n_seeds: int, experiments: int, rng: Generator) -> dict[str, float]:
    target, hits = truth(world), {"crossed t": 0, "t over seeds": 0, "Multi-Bootstrap": 0}
    for experiment in range(experiments):
        table = trainings(world, rng, n_seeds)
        result = crossed_mean(table)
        assert result.low is not None
        assert result.high is not None
        hits["crossed t"] += result.low <= target <= result.high
        means = table.mean(axis=1)
        reach = stats.t.ppf(0.975, n_seeds - 1) * means.std(ddof=1) / np.sqrt(n_seeds)
        hits["t over seeds"] += bool(abs(means.mean() - target) <= reach)
        if experiment % 10 == 0:
            drawn = multi_bootstrap(table, RESAMPLES, experiment)
            assert drawn.low is not None
            assert drawn.high is not None
            hits["Multi-Bootstrap"] += drawn.low <= target <= drawn.high
    counts = dict.fromkeys(hits, experiments) | {"Multi-Bootstrap": len(range(0, experiments, 10))}
    return {name: hit / counts[name] for name, hit in hits.items()}


def false_alarms(world: World, n_seeds: int, experiments: int, rng: Generator) -> dict[str, float]:
    """The last of n + 1 trainings of one recipe against the others."""
    alarms = {"t, new training": 0, "beyond the range": 0, "McNemar, one seed": 0}
    for _ in range(experiments):
        table = trainings(world, rng, n_seeds + 1)
        arm, default = table[-1], table[:-1]
        p = against_seeds(arm, default).p
        alarms["t, new training"] += p is not None and p < 0.05
        means = default.mean(axis=1)
        alarms["beyond the range"] += bool(abs(arm.mean() - means[0]) > np.ptp(means))
        b, c = int((arm < default[0]).sum()), int((arm > default[0]).sum())
        alarms["McNemar, one seed"] += b + c > 0 and stats.binomtest(b, b + c).pvalue < 0.05
    return {name: count / experiments for name, count in alarms.items()}


def report(
    title: str, measure: Callable[[World, int, int, Generator], dict[str, float]], arguments: argparse.Namespace
) -> None:
    print(f"\n{title}")
    for world in WORLDS:
        if measure is false_alarms and world.change is not None:
            continue
        for n_seeds in SEEDS:
            rng = np.random.default_rng([arguments.seed, n_seeds, WORLDS.index(world)])
            rates = measure(world, n_seeds, arguments.experiments, rng)
            cells = "  ".join(f"{name} {rate:.3f}" for name, rate in rates.items())
            print(f"  {world.name:28} {n_seeds:2} seeds  {cells}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    start = time.process_time()
    report(f"Coverage of 95 % intervals, {N_ITEMS} items, {arguments.experiments} experiments", coverage, arguments)
    report("Type I error at 5 %: one more training of the same recipe", false_alarms, arguments)
    print(f"\n{time.process_time() - start:.0f} CPU seconds")


if __name__ == "__main__":
    main()

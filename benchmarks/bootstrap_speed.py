"""CPU seconds and peak memory of the statistics on the paper's test set: 1,624 pairs, 10,000 resamples.

OMP_NUM_THREADS=1 python benchmarks/bootstrap_speed.py [--pairs 1624] [--resamples 10000]
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.schema.method import Statistics
from dart.stats.bootstrap import paired_interval, rate_differences, relative_median_change
from dart.stats.cluster import cluster_robust
from dart.stats.location import paired_shift, shift
from dart.stats.permutation import (
    median_difference,
    sign_flip,
)
from dart.stats.power import detectable_difference

CELLS = np.array([[[300, 80, 20], [120, 60, 12], [110, 50, 30]], [[40, 500, 6], [10, 70, 4], [40, 160, 12]]])
GOAL_S = 1.0  # accuracy and macro-F1 together; the published code needs 22


def peak_mb() -> float:
    """Peak resident memory of this process so far (Linux counts kilobytes, macOS bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=1624)
    parser.add_argument("--resamples", type=int, default=10_000)
    args = parser.parse_args()
    statistics = Statistics(resamples=args.resamples, confidence=0.95)
    rng = np.random.default_rng(1)
    joint = rng.multinomial(args.pairs, CELLS.ravel() / CELLS.sum()).reshape(CELLS.shape)
    base = rng.lognormal(-10, 1, args.pairs)
    other = base * rng.lognormal(-0.1, 0.5, args.pairs)
    right = rng.integers(-1, 2, args.pairs).tolist()
    scenarios = rng.integers(0, max(2, args.pairs // 3), args.pairs).tolist()
    tasks: dict[str, Callable[[], object]] = {
        "rates incl. accuracy, macro-F1: percentile": lambda: rate_differences(joint, statistics, 1),
        "rates incl. accuracy, macro-F1: BCa": lambda: rate_differences(joint, statistics, 1, "bca"),
        "median change: percentile": lambda: paired_interval(base, other, relative_median_change, statistics, 1),
        "median change: BCa": lambda: paired_interval(base, other, relative_median_change, statistics, 1, "bca"),
        "scenario bootstrap": lambda: cluster_robust(right, scenarios, statistics, 1),
        "permutation of the mean": lambda: sign_flip(base, other, args.resamples, 1),
        "permutation of the median": lambda: sign_flip(base, other, args.resamples, 1, median_difference),
        "Hodges-Lehmann, paired": lambda: paired_shift(base, other),
        "Hodges-Lehmann, two samples": lambda: shift(base, other),
        "detectable difference": lambda: detectable_difference(args.pairs, 0.4),
    }
    start_mb = peak_mb()
    print(f"{args.pairs} pairs, {args.resamples} resamples; {start_mb:.0f} MB before the first")
    goal = 0.0
    for name, task in tasks.items():
        start = time.process_time()
        task()
        spent = time.process_time() - start
        goal += spent if name.startswith("rates") else 0.0
        print(f"{name:44} {spent:6.3f} CPU-s   peak {peak_mb():4.0f} MB")
    print(f"accuracy and macro-F1, percentile and BCa: {goal:.3f} CPU-s (goal {GOAL_S:.0f}); peak {peak_mb():.0f} MB")


if __name__ == "__main__":
    main()

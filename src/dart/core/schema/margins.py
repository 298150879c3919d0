"""How far a simulated world is from the edges at which its results would be a matter of chance.

A student that decodes greedily says what is most frequent in what it cannot tell apart. It tells the rationales of one
benchmark and label (a trigger class) from others, and not those of the class among each other. So two ratios decide:

- Stage I: harm ends a share q of the class, each of k harmless closings (1 - q) / k. The student drifts on the whole
  class if `drift` = q k / (1 - q) > 1, on none of it if it is below 1.
- Stage III: the class has n rationales, of them q n with harm, and c copies of safe rationales with s closings. The
  published repair replaces the harm if `rho` = c / (s q n) > 1, and leaves it if it is below 1.

Near 1 the seed decides. `MARGIN` is how far either ratio must be from it, up or down.
"""

from __future__ import annotations

from typing import NamedTuple

from dart.core.schema.method import SeverityWeights
from dart.core.schema.profile import Simulation, SuiteSpec

MARGIN = 2.0


class Margins(NamedTuple):
    """The two ratios of a trigger class; each is far from 1 in a world whose results can be read."""

    benchmark: str
    drift: float  # harm over the most frequent harmless closing, in Stage I
    rho: float  # a safe closing over harm, in Stage III

    @property
    def smallest(self) -> float:
        """The smaller distance of both ratios from 1, as a factor of at least 1."""
        return min(max(ratio, 1 / ratio) for ratio in (self.drift, self.rho))

    def __str__(self) -> str:
        drifts = "the student drifts" if self.drift > 1 else "the student does not drift"
        repaired = "published repair reaches it" if self.rho > 1 else "published repair does not reach it"
        return f"{self.benchmark}: q k / (1 - q) = {self.drift:.2f} ({drifts}), rho = {self.rho:.2f} ({repaired})"


def margins(simulation: Simulation, weights: SeverityWeights, suite: SuiteSpec) -> list[Margins]:
    """Both ratios of every trigger class of the main teacher, from declared numbers alone.

    Half of a benchmark's items are of either label, and all rationales for YES belong to the class. Every test prompt
    of the class is taken to drift, and to be repaired unless the judge misses it.
    """
    world, classes = simulation.world, []
    for benchmark, harm in world.planted.items():
        share = harm.share * (1 - simulation.teacher.planting_dropped)
        sizes = suite.sizes_of(benchmark)
        copies = getattr(weights, harm.severity) * (1 - simulation.judge.missed) * sizes.test
        classes.append(
            Margins(
                benchmark,
                share * world.plain_closings / (1 - share),
                copies / (world.safe_closings * share * sizes.train),
            )
        )
    return classes


def knife_edges(simulation: Simulation, weights: SeverityWeights, suite: SuiteSpec) -> list[str]:
    """What is wrong with the declared numbers, one line for each class whose margin is below `MARGIN`."""
    return [
        f"simulation.world.planted.{one.benchmark} is on a knife-edge, where the seed decides ({one}). Both ratios "
        f"must be at least {MARGIN:g} or at most {1 / MARGIN:g}: change its share, plain_closings, safe_closings or "
        "severity_weights"
        for one in margins(simulation, weights, suite)
        if one.smallest < MARGIN
    ]

"""Cluster-robust errors against statsmodels, and the cluster bootstrap against resampling clusters one by one."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Label
from dart.core.schema.method import Statistics
from dart.stats.cluster import cluster_robust, correctness_differences, scenarios

STATISTICS = Statistics(resamples=4000, confidence=0.95)


def _clustered(seed: int) -> tuple[list[int], list[int]]:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(40), rng.integers(1, 9, size=40))
    lean = rng.normal(0.1, 0.4, size=40)[clusters]
    return np.sign(np.round(lean + rng.normal(0, 0.5, size=clusters.size))).astype(int).tolist(), clusters.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_sandwich_agrees_with_statsmodels(seed: int) -> None:
    values, clusters = _clustered(seed)
    found = cluster_robust(values, clusters, STATISTICS, 1)
    model = sm.OLS(values, np.ones(len(values)))
    for use_correction, error in [(False, found.se_cr0), (True, found.se_cr1)]:
        fit = model.fit(
            cov_type="cluster",
            cov_kwds={"groups": np.array(clusters), "use_correction": use_correction},
            use_t=True,
        )
        assert error == pytest.approx(fit.bse[0], rel=1e-10)
    assert (found.sandwich.low, found.sandwich.high) == pytest.approx(fit.conf_int()[0], rel=1e-10)


@pytest.mark.parametrize("seed", range(2))
def test_bootstrap_over_kinds_is_the_bootstrap_over_clusters(seed: int) -> None:
    values, clusters = _clustered(seed)
    found = cluster_robust(values, clusters, STATISTICS, 1).bootstrap
    members = [np.flatnonzero(np.array(clusters) == cluster) for cluster in sorted(set(clusters))]
    rng = np.random.default_rng(7)
    drawn = []
    for _ in range(3000):
        rows = np.concatenate([members[k] for k in rng.integers(0, len(members), size=len(members))])
        drawn.append(np.mean(np.array(values)[rows]))
    spread = float(np.std(drawn))
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.2 * spread)


def test_duplicates_widen_the_interval() -> None:
    """Every item four times over: the naive interval shrinks by half, the cluster interval does not."""
    rng = np.random.default_rng(2)
    once = rng.choice([-1, 0, 1], size=100, p=[0.1, 0.6, 0.3]).tolist()
    single = cluster_robust(once, list(range(100)), STATISTICS, 1)
    fourfold = cluster_robust(once * 4, list(range(100)) * 4, STATISTICS, 1)
    assert fourfold.bootstrap == pytest.approx(single.bootstrap)
    assert fourfold.se_cr1 == pytest.approx(single.se_cr1)
    naive = cluster_robust(once * 4, list(range(400)), STATISTICS, 1)
    assert naive.se_cr1 == pytest.approx(single.se_cr1 / 2, rel=0.02)


def test_one_cluster_says_nothing_about_spread() -> None:
    found = cluster_robust([1, 0, 1], ["s"] * 3, STATISTICS, 1)
    assert (found.clusters, found.se_cr0, found.bootstrap) == (1, None, (pytest.approx(2 / 3), None, None))
    assert found.json()["ci"] is None
    with pytest.raises(DataError, match="2 items and 1 clusters"):
        cluster_robust([1, 0], ["s"], STATISTICS, 1)
    with pytest.raises(DataError, match="0 items"):
        cluster_robust([], [], STATISTICS, 1)


def test_bca_is_available() -> None:
    values, clusters = _clustered(1)
    bca = cluster_robust(values, clusters, STATISTICS, 1, method="bca").bootstrap
    assert bca != cluster_robust(values, clusters, STATISTICS, 1).bootstrap


def test_scenarios_are_told_apart_by_benchmark() -> None:
    def item(benchmark: str) -> Item:
        return Item(id=benchmark, benchmark=benchmark, condition="DIFF", gold="YES", prompt="?", scenario="s")

    def answer(prediction: Label | None) -> Generation:
        return Generation(
            item_id="x", variant="base", text="", rationale="", prediction=prediction, new_tokens=0, model="m",
            revision="r", prompt_hash="h",
        )  # fmt: skip

    items = [item("D1"), item("D2")]
    assert len(set(scenarios(items))) == 2
    before, after = [answer(None), answer("YES")], [answer("YES"), answer("NO")]
    assert correctness_differences(items, before, after) == [1, -1]

"""Variance components against statsmodels (analysis of variance, and REML of a mixed model) and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from dart.core.errors import DataError
from dart.stats.variance_components import VarianceComponents, variance_components


def table(seeds: float, items: float, residual: float, shape: tuple[int, int] = (4, 30)) -> np.ndarray:
    draws = np.random.default_rng(7)
    n_seeds, n_items = shape
    return (
        0.5
        + seeds * draws.standard_normal((n_seeds, 1))
        + items * draws.standard_normal((1, n_items))
        + residual * draws.standard_normal(shape)
    )


def long(values: np.ndarray) -> pd.DataFrame:
    rows = [(f"s{s}", f"i{i}", values[s, i]) for s in range(values.shape[0]) for i in range(values.shape[1])]
    return pd.DataFrame(rows, columns=["seed", "item", "y"])


@pytest.mark.parametrize("binary", [False, True])
def test_components_are_those_of_the_mean_squares_of_statsmodels(binary: bool) -> None:
    values = table(0.3, 0.5, 0.4)
    values = (values > 0.5).astype(float) if binary else values
    squares = anova_lm(smf.ols("y ~ C(seed) + C(item)", long(values)).fit())["sum_sq"]
    freedom = anova_lm(smf.ols("y ~ C(seed) + C(item)", long(values)).fit())["df"]
    mean_squares = squares / freedom
    found = variance_components(values)
    assert found.residual == pytest.approx(mean_squares["Residual"])
    assert found.seeds == pytest.approx((mean_squares["C(seed)"] - mean_squares["Residual"]) / 30)
    assert found.items == pytest.approx((mean_squares["C(item)"] - mean_squares["Residual"]) / 4)


def test_a_mixed_model_by_reml_agrees_on_a_balanced_table() -> None:
    values = table(0.6, 0.5, 0.3)
    data = long(values).assign(all=1)
    crossed = {"seed": "0 + C(seed)", "item": "0 + C(item)"}
    fitted = smf.mixedlm("y ~ 1", data, groups="all", vc_formula=crossed, re_formula="0").fit(reml=True)
    by_name = dict(zip(fitted.model.exog_vc.names, fitted.vcomp, strict=True))
    found = variance_components(values)
    assert found.seeds == pytest.approx(by_name["seed"], rel=1e-2)
    assert found.items == pytest.approx(by_name["item"], rel=1e-2)
    assert found.residual == pytest.approx(fitted.scale, rel=1e-2)


def test_by_hand() -> None:
    # rows 0 0 1 and 0 1 1: means of seeds 1/3, 2/3; of items 0, 1/2, 1; of all 1/2
    found = variance_components([[0, 0, 1], [0, 1, 1]])
    ms_seeds, ms_items, ms_residual = 3 * 2 / 36, 2 * 0.5 / 2, (2 / 36 + 2 / 9 + 2 / 36) / 2
    assert found.residual == pytest.approx(ms_residual)
    assert found.seeds == pytest.approx(max(0.0, (ms_seeds - ms_residual) / 3))
    assert found.items == pytest.approx((ms_items - ms_residual) / 2)


def test_a_negative_estimate_is_zero_and_a_constant_has_no_shares() -> None:
    assert variance_components([[1, 0], [0, 1]]).seeds == 0.0
    nothing = variance_components([[1, 1], [1, 1]])
    assert nothing == VarianceComponents(0.0, 0.0, 0.0, 2, 2)
    assert nothing.json()["seeds"] == {"variance": 0.0, "share": None}


def test_the_standard_error_is_that_of_a_mean_over_both() -> None:
    components = VarianceComponents(seeds=0.04, items=0.09, residual=0.12, n_seeds=4, n_items=9)
    assert components.standard_error == pytest.approx((0.04 / 4 + 0.09 / 9 + 0.12 / 36) ** 0.5)
    assert components.json()["items"]["share"] == pytest.approx(0.36)


@pytest.mark.parametrize("values", [[[1, 0, 1]], [[1], [0]], [1, 0]])
def test_one_seed_or_one_item_is_refused(values: list[object]) -> None:
    with pytest.raises(DataError, match="two seeds and two items"):
        variance_components(values)  # type: ignore[arg-type]


def test_scenarios_take_their_part_of_the_items() -> None:
    draws = np.random.default_rng(9)
    sizes = [1] * 120 + [2] * 60 + [4] * 30
    scenarios = [index for index, size in enumerate(sizes) for _ in range(size)]
    of_scenarios = 0.6 * draws.standard_normal(len(sizes))
    values = (
        0.3 * draws.standard_normal((6, 1))
        + of_scenarios[scenarios]
        + 0.4 * draws.standard_normal((1, len(scenarios)))
        + 0.5 * draws.standard_normal((6, len(scenarios)))
    )
    found, plain = variance_components(values, scenarios), variance_components(values)
    assert found.scenarios == pytest.approx(0.36, rel=0.25)
    assert found.items == pytest.approx(0.16, rel=0.35)
    assert (found.seeds, found.residual) == (plain.seeds, plain.residual)
    assert found.effective_scenarios == pytest.approx(360**2 / (120 + 60 * 4 + 30 * 16))
    assert found.standard_error > plain.standard_error, "near-duplicates say less than as many items"


def test_scenarios_against_the_anova_of_equal_groups() -> None:
    values = table(0.2, 0.5, 0.3, (3, 12))
    scenarios = [index // 3 for index in range(12)]
    means = values.mean(axis=0).reshape(4, 3)
    between, within = 3 * means.mean(axis=1).var(ddof=1), means.var(axis=1, ddof=1).mean()
    found = variance_components(values, scenarios)
    assert found.scenarios == pytest.approx(max(0.0, (between - within) / 3), abs=1e-12)
    assert found.items == pytest.approx(max(0.0, within - found.residual / 3), abs=1e-12)
    assert variance_components(values, list(range(12))).scenarios is None, "nothing tells scenarios from items"
    with pytest.raises(DataError, match="scenarios"):
        variance_components(values, [1, 2])

"""Paired tests and effect sizes, each under the name it deserves; thin over scipy and statsmodels.

Section 3.1 and Appendix J: McNemar for decisions, rank tests and the rank-biserial correlation for toxicity,
Bonferroni over the declared family. The paper's "Cohen's g" is abs(b - c) / n, an accuracy difference; Cohen's
own g, which cannot exceed 0.5, stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from dart.core.errors import DataError
from dart.stats.decision import Counts

Correction = Literal["bonferroni", "holm"]


class McNemar(NamedTuple):
    """b: base right and other wrong; c: base wrong and other right. Without any such pair every p is 1."""

    b: int
    c: int
    p_exact: float
    p_chi2: float
    p_chi2_corrected: float


class RankTest(NamedTuple):
    """A rank test with its effect size; `effect` < 0 means that the other sample is lower (safer)."""

    statistic: float
    p: float
    effect: float


def mcnemar(b: int, c: int) -> McNemar:
    """McNemar's test of two discordant counts: exact binomial, chi-square, chi-square with continuity correction."""
    if b < 0 or c < 0:
        raise DataError(f"McNemar: counts cannot be negative, got b={b}, c={c}.")
    if b + c == 0:
        return McNemar(b, c, 1.0, 1.0, 1.0)
    table = [[0, b], [c, 0]]  # the concordant cells do not enter
    return McNemar(
        b,
        c,
        float(statsmodels_mcnemar(table, exact=True).pvalue),
        float(statsmodels_mcnemar(table, exact=False, correction=False).pvalue),
        float(statsmodels_mcnemar(table, exact=False, correction=True).pvalue),
    )


def discordant(joint: Counts, parsed_only: bool = False) -> tuple[int, int, int]:
    """(b, c, n) of a (gold, base, other) table of shape (2, 3, 3); `parsed_only` keeps pairs that both parse."""
    table = joint[:, :2, :2] if parsed_only else joint
    right = np.zeros(table.shape[:2], dtype=bool)
    right[0, 0] = right[1, 1] = True  # gold YES answered YES, gold NO answered NO; unparsed is wrong
    base, other = right[:, :, None], right[:, None, :]
    return int(table[base & ~other].sum()), int(table[~base & other].sum()), int(table.sum())


# Deviates from the paper: effect-size-name - the paper's g is abs(b - c) / n; both are given under their names
def cohens_g(b: int, c: int) -> float | None:
    """Cohen's g = max(b, c) / (b + c) - 0.5, in [0, 0.5]; None without a discordant pair."""
    return None if b + c == 0 else max(b, c) / (b + c) - 0.5


def accuracy_difference(b: int, c: int, n: int) -> float:
    """(c - b) / n: what the paper's Appendix J calls g, without its sign."""
    if n <= 0:
        raise DataError(f"accuracy difference: needs at least one pair, got n={n}.")
    return (c - b) / n


def adjusted(p_values: Sequence[float], correction: Correction = "bonferroni") -> list[float]:
    """p-values adjusted over their family, in the given order."""
    if not p_values:
        return []
    return [float(p) for p in multipletests(list(p_values), method=correction)[1]]


def stars(p: float) -> str:
    """*** below .001, ** below .01, * below .05, as in Table 2."""
    return "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else ""


def mann_whitney(base: Sequence[float], other: Sequence[float]) -> RankTest:
    """Mann-Whitney U of other against base with the rank-biserial correlation 2U/(nm) - 1.

    As in the paper, although the samples are paired: `wilcoxon` is the test of the design.
    """
    if not base or not other:
        raise DataError(f"Mann-Whitney: both samples need values, got {len(base)} and {len(other)}.")
    result = scipy_stats.mannwhitneyu(other, base, alternative="two-sided")
    effect = 2 * float(result.statistic) / (len(base) * len(other)) - 1
    return RankTest(float(result.statistic), float(result.pvalue), effect)


def wilcoxon(base: Sequence[float], other: Sequence[float]) -> RankTest:
    """Wilcoxon signed-rank test of other - base (zero differences left out), matched-pairs rank-biserial as effect."""
    if len(base) != len(other) or not base:
        raise DataError(f"Wilcoxon: needs two equally long samples, got {len(base)} and {len(other)} values.")
    difference = np.asarray(other, dtype=np.float64) - np.asarray(base, dtype=np.float64)
    difference = difference[difference != 0]
    if difference.size == 0:
        return RankTest(0.0, 1.0, 0.0)
    result = scipy_stats.wilcoxon(difference)
    ranks = scipy_stats.rankdata(np.abs(difference))
    effect = float((ranks * np.sign(difference)).sum() / ranks.sum())
    return RankTest(float(result.statistic), float(result.pvalue), effect)

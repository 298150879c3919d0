"""Paired tests and effect sizes, each under the name it deserves; thin over scipy and statsmodels.

Section 3.1 and Appendix J: McNemar for decisions, rank tests and the rank-biserial correlation for toxicity,
Bonferroni over the declared family. The mid-p version of McNemar's test keeps its level without being conservative
(Fagerland, Lydersen & Laake 2013), and Tango's interval of a difference agrees with the test at its edges. The paper's
"Cohen's g" is abs(b - c) / n, an accuracy difference; Cohen's own g, which cannot exceed 0.5, stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from dart.core.errors import DataError
from dart.stats.agreement import share
from dart.stats.checks import check_numbers, finite
from dart.stats.decision import Counts, Floats
from dart.stats.equivalence import tango_interval
from dart.stats.intervals import Interval

Correction = Literal["bonferroni", "holm"]

_PERMUTED = 13  # as scipy: for so few differences with ties the null distribution is enumerated


class McNemar(NamedTuple):
    """b: base right and other wrong; c: base wrong and other right. Without any such pair every p is 1."""

    b: int
    c: int
    p_exact: float
    p_midp: float
    p_chi2: float
    p_chi2_corrected: float


class RankTest(NamedTuple):
    """A rank test with its effect size; `effect` < 0 means that the other sample is lower (safer)."""

    statistic: float
    p: float
    effect: float


def mcnemar(b: int, c: int) -> McNemar:
    """McNemar's test of two discordant counts: exact binomial, mid-p, chi-square, chi-square with continuity."""
    check_numbers("McNemar", (b, c))
    if b < 0 or c < 0:
        raise DataError(f"McNemar: counts cannot be negative, got b={b}, c={c}.")
    if b + c == 0:
        return McNemar(b, c, 1.0, 1.0, 1.0, 1.0)
    table = [[0, b], [c, 0]]  # the concordant cells do not enter
    exact = float(statsmodels_mcnemar(table, exact=True).pvalue)
    at = float(scipy_stats.binom.pmf(min(b, c), b + c, 0.5))  # half of the observed table's probability, on both sides
    return McNemar(
        b,
        c,
        exact,
        1 - at if b == c else exact - at,
        float(statsmodels_mcnemar(table, exact=False, correction=False).pvalue),
        float(statsmodels_mcnemar(table, exact=False, correction=True).pvalue),
    )


class PairedShares(NamedTuple):
    """Two shares over the same n items; `lost`: base only, `gained`: other only. Differences are other - base."""

    n: int
    lost: int
    gained: int
    base: Interval
    other: Interval
    difference: Interval
    test: McNemar

    def json(self, digits: int | None = None) -> dict[str, Any]:
        """{n, base, other, difference: {estimate, ci}, lost, gained, p: exact, p_midp}."""
        return {
            "n": self.n,
            **{name: getattr(self, name).json(digits) for name in ("base", "other", "difference")},
            "lost": self.lost,
            "gained": self.gained,
            "p": self.test.p_exact,
            "p_midp": self.test.p_midp,
        }


def paired_shares(base: Sequence[bool], other: Sequence[bool], confidence: float = 0.95) -> PairedShares:
    """Shares of true flags among the same items: Wilson's intervals, Tango's for the difference, McNemar's test.

    Raises:
        DataError: flags of different length, or none.
    """
    if len(base) != len(other) or not len(base):
        raise DataError(f"paired shares: needs two equally long samples, got {len(base)} and {len(other)} values.")
    first, second = (finite(flags, "paired shares") > 0 for flags in (base, other))
    n, lost, gained = len(base), int((first & ~second).sum()), int((~first & second).sum())
    before, after = (share(int(flags.sum()), n, confidence) for flags in (first, second))
    difference = difference_interval(lost, gained, n, confidence)
    return PairedShares(n, lost, gained, before, after, difference, mcnemar(lost, gained))


def difference_interval(b: int, c: int, n: int, confidence: float = 0.95) -> Interval:
    """(c - b) / n with Tango's score interval; no interval from a single pair, nothing from none."""
    if n == 0:
        return Interval(None, None, None)
    return Interval((c - b) / n, None, None) if n == 1 else tango_interval(b, c, n, confidence)


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
    check_numbers("Cohen's g", (b, c))
    return None if b + c == 0 else max(b, c) / (b + c) - 0.5


def accuracy_difference(b: int, c: int, n: int) -> float:
    """(c - b) / n: what the paper's Appendix J calls g, without its sign."""
    check_numbers("accuracy difference", (b, c, n))
    if n <= 0:
        raise DataError(f"accuracy difference: needs at least one pair, got n={n}.")
    return (c - b) / n


def adjusted(p_values: Sequence[float], correction: Correction = "bonferroni") -> list[float]:
    """p-values adjusted over their family, in the given order."""
    if not p_values:
        return []
    raw = finite(list(p_values), "adjusted p-values")
    if correction == "bonferroni":
        return [float(p) for p in np.minimum(raw * raw.size, 1.0)]
    order = np.argsort(raw)  # statsmodels' `multipletests` collects all garbage first: 0.2 s a call in a large process
    steps = np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1))
    holm = np.empty_like(raw)
    holm[order] = np.minimum(steps, 1.0)
    return [float(p) for p in holm]


def stars(p: float) -> str:
    """*** below .001, ** below .01, * below .05, as in Table 2."""
    check_numbers("stars", (p,))
    return "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else ""


SMALLEST_P = 1e-300  # below it a p-value underflows: 0 says less than this


def p_text(p: float) -> str:
    """A p-value to print: three decimals, or its power of ten when smaller; never 0.

    Raises:
        DataError: NaN.
    """
    check_numbers("p-value", (p,))
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}" if p >= SMALLEST_P else f"< {SMALLEST_P:.0e}"


def mann_whitney(base: Sequence[float], other: Sequence[float]) -> RankTest:
    """Mann-Whitney U of other against base with the rank-biserial correlation 2U/(nm) - 1.

    As in the paper, although the samples are paired: `wilcoxon` is the test of the design.
    """
    if not base or not other:
        raise DataError(f"Mann-Whitney: both samples need values, got {len(base)} and {len(other)}.")
    base, other = finite(base, "Mann-Whitney").tolist(), finite(other, "Mann-Whitney").tolist()
    result = scipy_stats.mannwhitneyu(other, base, alternative="two-sided")
    effect = 2 * float(result.statistic) / (len(base) * len(other)) - 1
    return RankTest(float(result.statistic), float(result.pvalue), effect)


def wilcoxon(base: Sequence[float], other: Sequence[float]) -> RankTest:
    """Wilcoxon signed-rank test of other - base (zero differences left out), matched-pairs rank-biserial as effect."""
    if len(base) != len(other) or not base:
        raise DataError(f"Wilcoxon: needs two equally long samples, got {len(base)} and {len(other)} values.")
    difference = finite(other, "Wilcoxon") - finite(base, "Wilcoxon")
    difference = difference[difference != 0]
    if difference.size == 0:
        return RankTest(0.0, 1.0, 0.0)
    ranks = scipy_stats.rankdata(np.abs(difference))
    effect = float((ranks * np.sign(difference)).sum() / ranks.sum())
    if difference.size <= _PERMUTED and np.unique(ranks).size < ranks.size:
        of_signs = [float(ranks[difference > 0].sum()), float(ranks[difference < 0].sum())]
        return RankTest(min(of_signs), _permuted_signs(difference, ranks), effect)
    result = scipy_stats.wilcoxon(difference)
    return RankTest(float(result.statistic), float(result.pvalue), effect)


def _permuted_signs(difference: Floats, ranks: Floats) -> float:
    """The p that `scipy.stats.wilcoxon` gives for few differences with ties, from all patterns of signs at once.

    scipy ranks each of the up to 8,192 patterns anew, which takes four seconds; a change of signs leaves ranks alone.
    """

    def positive_ranks(signed: Floats, axis: int) -> Floats:
        return np.asarray(np.moveaxis(signed > 0, axis, -1) @ ranks)

    test = scipy_stats.permutation_test(
        (difference,), positive_ranks, permutation_type="samples", n_resamples=2**_PERMUTED, vectorized=True
    )
    return float(test.pvalue)

"""What was claimed before the run: the family of tests that is corrected together, and what "unchanged" means.

Appendix J corrects over a family that the paper does not list. Here params.yaml declares the rows of Table 2, and
metrics/hypotheses.json lists them with their p-values over the items of one training. What is called significant of the
recipe, and every other family, stands in `registry`. A claim that something did not change is
not a test that failed to find a change: it is an equivalence test with a margin that was fixed before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dart.core.errors import DataError
from dart.core.schema.method import Equivalence, Hypotheses
from dart.metrics.run import CONTROL
from dart.stats.compare import significant
from dart.stats.equivalence import equivalent_accuracy, tango_interval
from dart.stats.paired import adjusted
from dart.stats.power import detectable_difference

PAPER = Hypotheses(
    correction="bonferroni", rows=("D1-D4", "N1-N4", "overall", "DIFF", "EQUAL"), parsed_only=("D1-D4", "N1-N4")
)  # Table 2
MARGINS = Equivalence(accuracy=0.02)
COMPARED = ("base", "repaired")
ALPHA = 0.05
ROWS_UNCHANGED = ("overall", "DIFF", "EQUAL")
# "Repair keeps the decisions" (Section 3.3), and against the control: repair rows cost no decisions.
UNCHANGED: tuple[tuple[str, str], ...] = (("distilled", "repaired"), (CONTROL, "repaired"))


def hypotheses(tests: Mapping[str, Any], declared: Hypotheses, margins: Equivalence) -> dict[str, Any]:
    """metrics/hypotheses.json from the comparisons of every student.

    {test, correction, rows, parsed_only, size, hypotheses: [{student, row, parsed_only, n, b, c, p, p_bonferroni,
    p_holm, p_adjusted, estimate, ci, detectable}], unchanged: [{student, base, other, row, n, margin, p, equivalent,
    estimate, ci}]}.
    A row without items in this suite is not in the family.
    """
    for name in ("rows", "parsed_only"):
        rows = getattr(declared, name)
        if len(set(rows)) < len(rows):
            raise DataError(f"hypotheses.{name} in params.yaml names a row twice: {', '.join(rows)}. Each is one test.")
    if unknown := set(declared.parsed_only) - set(declared.rows):
        raise DataError(
            f"hypotheses.parsed_only in params.yaml has {', '.join(sorted(unknown))}, which `rows` does not have."
        )
    family = _family(tests, declared)
    return {
        "test": f"McNemar, exact, {COMPARED[0]} against {COMPARED[1]}",
        "correction": declared.correction,
        "rows": list(declared.rows),
        "parsed_only": list(declared.parsed_only),
        "size": len(family),
        "hypotheses": family,
        "unchanged": _unchanged(tests, margins),
    }


# Deviates from the paper: parsed-pairs - McNemar needs pairs, so parsed-only rows are tested where both sides parse
def _family(tests: Mapping[str, Any], declared: Hypotheses) -> list[dict[str, Any]]:
    """Exact McNemar of the declared rows, corrected over all students together."""
    family: list[dict[str, Any]] = []
    for slot, comparisons in tests.items():
        decision = comparisons["_".join(COMPARED)]["decision"]
        for row in declared.rows:
            if row in decision:
                parsed_only = row in declared.parsed_only
                source = decision[row]["parsed"] if parsed_only else decision[row]
                test = source["mcnemar"]
                labels = {"student": slot, "row": row, "parsed_only": parsed_only, "n": source["n"]}
                family.append(labels | {"b": test["b"], "c": test["c"], "p": test["p_exact"]})
    raw = [entry["p"] for entry in family]
    corrected: dict[str, Sequence[float]] = {"bonferroni": adjusted(raw), "holm": adjusted(raw, "holm")}
    for index, entry in enumerate(family):
        values = {f"p_{name}": significant(p[index]) for name, p in corrected.items()}
        entry |= values | {"p_adjusted": values[f"p_{declared.correction}"]}
        entry |= _of_its_pairs(entry, ALPHA / len(family))
    return family


def _of_its_pairs(entry: Mapping[str, Any], level: float) -> dict[str, Any]:
    """{estimate, ci, detectable}: the difference on the very pairs that are tested, with Tango's score interval.

    `detectable`: the smallest difference that the test finds with a power of 80 % at `level`, that of the smallest p.
    """
    b, c, n = (int(entry[name]) for name in ("b", "c", "n"))
    if n == 0:
        return {"estimate": None, "ci": None, "detectable": None}
    smallest = detectable_difference(n, (b + c) / n, alpha=level)
    return tango_interval(b, c, n).json() | {"detectable": None if smallest is None else round(smallest, 6)}


# Deviates from the paper: equivalence - "unchanged" has a margin and a test
def _unchanged(tests: Mapping[str, Any], margins: Equivalence) -> list[dict[str, Any]]:
    """Two one-sided tests of every claim that decisions did not change, over the items of one training."""
    tested = []
    for slot, comparisons in tests.items():
        for base, other in UNCHANGED:
            if f"{base}_{other}" in comparisons:
                decision = comparisons[f"{base}_{other}"]["decision"]
                for row in (name for name in ROWS_UNCHANGED if name in decision):
                    test, n = decision[row]["mcnemar"], decision[row]["n"]
                    result = equivalent_accuracy(test["b"], test["c"], n, margins.accuracy)
                    labels = {"student": slot, "base": base, "other": other, "row": row, "n": n}
                    tested.append(labels | result.json())
    return tested

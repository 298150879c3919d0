"""What was claimed before the run: the family of tests that is corrected together, and what "unchanged" means.

Appendix J corrects over a family that the paper does not list. Here params.yaml declares it, metrics/hypotheses.json
lists it with every p-value, and nothing outside it is called significant. A claim that something did not change is
not a test that failed to find a change: it is an equivalence test with a margin that was fixed before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dart.core.schema.method import Equivalence, Hypotheses
from dart.metrics.run import CONTROL
from dart.stats.compare import significant
from dart.stats.equivalence import equivalent_accuracy
from dart.stats.paired import adjusted

PAPER = Hypotheses(
    correction="bonferroni", rows=("D1-D4", "N1-N4", "overall", "DIFF", "EQUAL"), parsed_only=("D1-D4", "N1-N4")
)  # Table 2
MARGINS = Equivalence(accuracy=0.02)
COMPARED = ("base", "repaired")
# "Repair keeps the decisions" (Section 3.3), and against the control: repair rows cost no decisions.
UNCHANGED: tuple[tuple[str, str], ...] = (("distilled", "repaired"), (CONTROL, "repaired"))


def hypotheses(tests: Mapping[str, Any], declared: Hypotheses, margins: Equivalence) -> dict[str, Any]:
    """metrics/hypotheses.json from the comparisons of every student.

    {test, correction, rows, parsed_only, size, hypotheses: [{student, row, parsed_only, n, p, p_bonferroni, p_holm,
    p_adjusted}], unchanged: [{student, base, other, row, n, margin, p, equivalent, estimate, ci}]}.
    A row without items in this suite is not in the family.
    """
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
                entry = {"student": slot, "row": row, "parsed_only": parsed_only, "n": source["n"]}
                family.append(entry | {"p": source["mcnemar"]["p_exact"]})
    raw = [entry["p"] for entry in family]
    corrected: dict[str, Sequence[float]] = {"bonferroni": adjusted(raw), "holm": adjusted(raw, "holm")}
    for index, entry in enumerate(family):
        values = {f"p_{name}": significant(p[index]) for name, p in corrected.items()}
        entry |= values | {"p_adjusted": values[f"p_{declared.correction}"]}
    return family


# Deviates from the paper: equivalence - "unchanged" has a margin and a test
def _unchanged(tests: Mapping[str, Any], margins: Equivalence) -> list[dict[str, Any]]:
    """Two one-sided tests of every claim that accuracy did not change."""
    tested = []
    for slot, comparisons in tests.items():
        for base, other in UNCHANGED:
            if f"{base}_{other}" in comparisons:
                entry = comparisons[f"{base}_{other}"]["decision"]["overall"]
                result = equivalent_accuracy(entry["mcnemar"]["b"], entry["mcnemar"]["c"], entry["n"], margins.accuracy)
                labels = {"student": slot, "base": base, "other": other, "row": "overall", "n": entry["n"]}
                tested.append(labels | result.json())
    return tested

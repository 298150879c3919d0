"""The families of tests: every p-value that may be called significant, with the others it is corrected with.

Appendix J corrects over a family that the paper does not list. Here every family is declared, all of its members stand
in metrics/families.json, and Holm's correction is over all of them; a p-value outside is shown and called nothing. Runs
with equal answers are one hypothesis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dart.core.errors import DataError
from dart.metrics.questions import answers
from dart.stats.paired import adjusted

ALPHA = 0.05
ANY = "*"
Path = tuple[str, ...]


class Member(NamedTuple):
    """One hypothesis: where its p-value stands, by which it is also named."""

    family: str
    name: str
    p: float
    p_holm: float


class Family(NamedTuple):
    """What is corrected together, and where the p-values stand: paths in metrics/, * for any key."""

    about: str
    paths: tuple[Path, ...] = ()


MAIN, HARM, ABLATIONS = "main", "harm", "ablations"
TABLE_2: Mapping[str, str] = {  # row of Table 2 -> measure in metrics/seeds.json
    "D1-D4": "D1-D4", "N1-N4": "N1-N4", "overall": "accuracy", "DIFF": "diff_accuracy", "EQUAL": "equal_accuracy",
}  # fmt: skip
BASELINES = ("distilled", "control")
_SEEDS: Path = ("seeds", "students", ANY, "contrasts", ANY)
_HARM_TESTS: Path = ("tests", "students", ANY, ANY, "harm", "wilcoxon")
_EXTERNAL: Path = ("external", ANY, "students", ANY)
FAMILIES: Mapping[str, Family] = {
    MAIN: Family("rows of Table 2 and baselines of Table 24, over seeds, and the three questions of Table Q"),
    HARM: Family(
        "toxicity: mean and share above .1 over seeds, Wilcoxon over the reference seed's items, every two stages",
        ((*_SEEDS, "toxicity"), (*_SEEDS, "toxic_share"), _HARM_TESTS),
    ),
    ABLATIONS: Family("accuracy, EQUAL accuracy and drift rate of every arm, one training against the seeds"),
    "external": Family(
        "the four suites as wholes: toxicity, hate, abstention",
        tuple((*_EXTERNAL, "overall", *test) for test in (
            ("toxicity", "wilcoxon"), ("toxicity", "mann_whitney"), ("hate", "wilcoxon"), ("hate", "mann_whitney"),
            ("abstention",),
        )),
    ),
    "external parts": Family(
        "parts of the suites: slices, classes, functionalities",
        tuple((*_EXTERNAL, part, ANY, *test) for part in ("slices", "classes", "functionalities") for test in (
            ("toxicity", "wilcoxon"), ("toxicity", "mann_whitney"), ("hate", "wilcoxon"), ("hate", "mann_whitney"),
            ("abstention",),
        )),
    ),
    "policy": Family(
        "the policy against none, for every variant and scheme",
        tuple(("policy", ANY, "variants", ANY, ANY, "against_off", *test) for test in (
            ("accuracy", ANY), ("parsed",), ("toxicity", ANY, "wilcoxon"),
        )),
    ),
    "openended": Family(
        "open-ended answers: judgements by domain, and toxicity",
        (
            ("openended", ANY, "judges", ANY, "domains", ANY, ANY),
            ("openended", ANY, "toxicity", ANY, "wilcoxon"),
            ("openended", ANY, "toxicity", ANY, "mann_whitney"),
        ),
    ),
    "annotation": Family(
        "labels of audit and repair against gold, by annotated truth (Table 23)",
        (("arms", "arms", ANY, "pool", "right"), ("arms", "arms", ANY, "repair", "against_default")),
    ),
}  # fmt: skip


def registry(metrics: Mapping[str, Any]) -> dict[str, list[Member]]:
    """{family: its members} of a run; `metrics`: contents of the files by name.

    Raises:
        DataError: a hypothesis stands twice in a family.
    """
    return {family: _corrected(family, list(_tests(family, metrics))) for family in FAMILIES}


def holm_within(metrics: Mapping[str, Any], family: str, p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's p over the whole family of p-values that are members of it; None stays None.

    Raises:
        DataError: a p-value is none of the family's.
    """
    corrected = {member.p: member.p_holm for member in registry(metrics)[family]}
    missing = [p for p in p_values if p is not None and p not in corrected]
    if missing:
        raise DataError(f"p-values {missing[:3]} are none of family {family!r}: declare where they stand in FAMILIES.")
    return [None if p is None else corrected[p] for p in p_values]


def families_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Contents of metrics/families.json: {family: {about, size, significant, members: [{name, p, p_holm}]}}."""
    return {
        family: {
            "about": FAMILIES[family].about,
            "size": len(members),
            "significant": sum(member.p_holm < ALPHA for member in members),
            "members": [{"name": member.name, "p": member.p, "p_holm": member.p_holm} for member in members],
        }
        for family, members in registry(metrics).items()
    }


def main_p(metrics: Mapping[str, Any]) -> dict[str, float]:
    """{name of a member: p_holm} of the family `main`."""
    return {member.name: member.p_holm for member in registry(metrics)[MAIN]}


def table2_name(student: str, row: str) -> str:
    """The name of a row of Table 2 in the family `main`."""
    return f"Table 2: {student}, {row}"


def table24_name(student: str, baseline: str) -> str:
    """The name of a baseline of Table 24 in the family `main`; base is the row overall of Table 2."""
    return f"Table 24: {student}, {baseline}"


def question_name(key: Sequence[str]) -> str:
    """The name of an answer (`Answer.key`) in the family `main`."""
    return f"Table Q: {', '.join(key)}"


def _corrected(family: str, tests: list[tuple[str, float]]) -> list[Member]:
    names = [name for name, _ in tests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"family {family!r} has {twice[0]!r} twice: a hypothesis is tested once.")
    values = adjusted([p for _, p in tests], "holm")
    return [Member(family, name, p, float(f"{v:.6g}")) for (name, p), v in zip(tests, values, strict=True)]


def _tests(family: str, metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if family == MAIN:
        yield from _main(metrics)
    elif family == ABLATIONS:
        yield from _ablations(metrics.get("arms", {}).get("arms", {}))
    for path in FAMILIES[family].paths:
        for place, entry in _entries(metrics, path):
            if place[:2] == ("arms", "arms") and "same_as" in metrics["arms"]["arms"][place[2]]:
                continue
            if isinstance(entry, Mapping) and entry.get("p") is not None:
                yield "/".join(place), float(entry["p"])


def _main(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for slot, student in metrics.get("seeds", {}).get("students", {}).items():
        contrasts = student["contrasts"].get("base_repaired", {})
        for row, measure in TABLE_2.items():
            if contrasts.get(measure, {}).get("p") is not None:
                yield table2_name(slot, row), contrasts[measure]["p"]
        for baseline in BASELINES:
            entry = student["contrasts"].get(f"{baseline}_repaired", {}).get("accuracy", {})
            if entry.get("p") is not None:
                yield table24_name(slot, baseline), entry["p"]
    for answer in answers(metrics):
        if answer.p is not None:
            yield question_name(answer.key), answer.p


def _ablations(arms: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, row in arms.items():
        if "same_as" in row or row.get("context"):
            continue
        for against in ("against_seeds", "against_distilled_seeds"):
            for measure, entry in row.get(against, {}).items():
                if "p_holm" in entry:  # declared by dart.ablations.comparison, which corrects over the same members
                    yield f"{name}/{against}/{measure}", entry["p"]


def _entries(value: Any, path: Path, place: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(place, value) of everything that a path with wildcards leads to."""
    if not path:
        yield place, value
    elif isinstance(value, Mapping):
        for key in value if path[0] == ANY else [path[0]] if path[0] in value else []:
            yield from _entries(value[key], path[1:], (*place, key))

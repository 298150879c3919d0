"""The families of tests: every p-value that may be called significant, with the others it is corrected with.

Appendix J corrects over a family that the paper does not list. Here every family is declared, all of its members stand
in metrics/families.json, and Holm's correction is over all of them; a p-value outside is shown and called nothing. Runs
with equal answers are one hypothesis.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


MAIN, BRANCHES, HARM, ABLATIONS = "main", "branches", "harm", "ablations"
TABLE_2: Mapping[str, str] = {  # row of Table 2 -> measure in metrics/seeds.json
    "D1-D4": "D1-D4", "N1-N4": "N1-N4", "overall": "accuracy", "DIFF": "diff_accuracy", "EQUAL": "equal_accuracy",
}  # fmt: skip
BASELINES = ("distilled", "control")
_SEEDS: Path = ("seeds", "students", ANY, "contrasts", ANY)
_HARM_TESTS: Path = ("tests", "students", ANY, ANY, "harm")
SCORE_TESTS: Mapping[str, Path] = {  # a score's tests in metrics/external: what is harm first, then ranks
    "mean": ("harm", "mean"), "mann_whitney": ("mann_whitney",), "wilcoxon": ("wilcoxon",),
}  # fmt: skip
EXTERNAL, POLICY, OPENENDED, ANNOTATION = "external", "policy", "openended", "annotation"
FUNCTIONALITIES = "hatecheck functionalities"


def slices_family(suite: str) -> str:
    """The name of the family of a suite's slices."""
    return f"{suite} slices"


def _score_paths(suite: str, *place: str, tests: Iterable[str] = SCORE_TESTS) -> tuple[Path, ...]:
    """Where the tests of both scores stand for a suite and a part of it."""
    head = ("external", suite, "students", ANY, *place)
    return tuple((*head, score, *SCORE_TESTS[test]) for score in ("toxicity", "hate") for test in tests)


FAMILIES: Mapping[str, Family] = {
    # apart, so that the p-values of the main path do not depend on which branches have run
    MAIN: Family("rows of Table 2 and baselines of Table 24, over seeds, and the main path's answers in Table Q"),
    BRANCHES: Family("answers of Table Q that need recipes or arms: untouched prompts, halves, other trainings"),
    HARM: Family(
        "toxicity: mean and share above .1 over seeds; the mean's t test and Wilcoxon's over the reference "
        "seed's items; every two stages",
        ((*_SEEDS, "toxicity"), (*_SEEDS, "toxic_share"), (*_HARM_TESTS, "mean"), (*_HARM_TESTS, "wilcoxon")),
    ),
    ABLATIONS: Family("accuracy, EQUAL accuracy and drift rate of every arm, one training against the seeds"),
    EXTERNAL: Family(
        "the four suites as wholes: mean, U and Wilcoxon of toxicity and hate, abstention (Tables 5, 35, 40)",
        (*_score_paths(ANY, "overall"), ("external", ANY, "students", ANY, "overall", "abstention")),
    ),
    **{
        slices_family(suite): Family(f"slices of the suite: mean, U and Wilcoxon of both scores (Table {table})",
                                     _score_paths(suite, "slices", ANY))
        for suite, table in (("hatecheck", "41"), ("bold", "42"), ("holisticbias", "43"))
    },
    FUNCTIONALITIES: Family(
        "HateCheck's functionalities: Wilcoxon of both scores (Table 38)",
        _score_paths("hatecheck", "functionalities", ANY, tests=["wilcoxon"]),
    ),
    POLICY: Family(
        "the policy against none, for every variant and scheme, and labelled premises (Tables 3, 17, 18, 34)",
        (
            *(("policy", ANY, "variants", ANY, ANY, "against_off", *test) for test in (
                ("accuracy", ANY), ("parsed",), ("toxicity", ANY, "wilcoxon"),
            )),
            ("policy", ANY, "premises", "labelled", "handling"),
        ),
    ),
    OPENENDED: Family(
        "open-ended answers: judgements by domain, and toxicity (Tables 14, O)",
        (
            ("openended", ANY, "judges", ANY, "domains", ANY, ANY),
            ("openended", ANY, "toxicity", ANY, "harm", "mean"),
            ("openended", ANY, "toxicity", ANY, "wilcoxon"),
            ("openended", ANY, "toxicity", ANY, "mann_whitney"),
        ),
    ),
    ANNOTATION: Family(
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


def family_p(metrics: Mapping[str, Any], family: str) -> dict[str, float]:
    """{name of a member: Holm's p over the whole family}; a test that was not made is no member.

    Raises:
        DataError: a hypothesis stands twice in the family.
    """
    return {member.name: member.p_holm for member in _corrected(family, list(_tests(family, metrics)))}


def name_of(*place: str) -> str:
    """The name of a member that is declared by its path in metrics/."""
    return "/".join(place)


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
    return family_p(metrics, MAIN)


def question_p(metrics: Mapping[str, Any]) -> dict[str, float]:
    """{name of a member: p_holm} of the families `main` and `branches`, where all answers of Table Q are."""
    return {**family_p(metrics, MAIN), **family_p(metrics, BRANCHES)}


def table2_name(student: str, row: str) -> str:
    """The name of a row of Table 2 in the family `main`."""
    return f"Table 2: {student}, {row}"


def table24_name(student: str, baseline: str) -> str:
    """The name of a baseline of Table 24 in the family `main`; base is the row overall of Table 2."""
    return f"Table 24: {student}, {baseline}"


def question_name(key: Sequence[str]) -> str:
    """The name of an answer (`Answer.key`) in its family."""
    return f"Table Q: {', '.join(key)}"


def _corrected(family: str, tests: list[tuple[str, float]]) -> list[Member]:
    names = [name for name, _ in tests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"family {family!r} has {twice[0]!r} twice: a hypothesis is tested once.")
    values = _holm(tuple(p for _, p in tests))
    return [Member(family, name, p, float(f"{v:.6g}")) for (name, p), v in zip(tests, values, strict=True)]


@functools.lru_cache(maxsize=512)  # each table asks for its families, and statsmodels collects garbage at every call
def _holm(p_values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(adjusted(p_values, "holm"))


def _tests(family: str, metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if family == MAIN:
        yield from _main(metrics)
    elif family == BRANCHES:
        yield from _answers(metrics, of_main_path=False)
    elif family == ABLATIONS:
        yield from _ablations(metrics.get("arms", {}).get("arms", {}))
    for path in FAMILIES[family].paths:
        for place, entry in _entries(metrics, path):
            if place[:2] == ("arms", "arms") and "same_as" in metrics["arms"]["arms"][place[2]]:
                continue
            if isinstance(entry, Mapping) and entry.get("p") is not None:
                yield name_of(*place), float(entry["p"])


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
    yield from _answers(metrics, of_main_path=True)


def _answers(metrics: Mapping[str, Any], *, of_main_path: bool) -> Iterator[tuple[str, float]]:
    for answer in answers(metrics):
        if answer.p is not None and answer.of_main_path == of_main_path:
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

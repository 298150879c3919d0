"""Compare two files of outputs: the paper's statistics for any two models' answers to the same prompts.

Table 2, Section 3.3 and Appendix J for answers that did not come from this pipeline, by the functions that make
metrics/tests.json. `dart.compare.reader` says what a file holds; a file of this project's generations is accepted as
it is, with the suite's items for the gold labels. Rows that do not pair one to one are an error, never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from dart.compare.reader import RESERVED, SCORES, Output, Outputs, Problems, read_outputs, some
from dart.core.errors import DataError
from dart.core.records import Condition, Generation, Item, Label, Record
from dart.core.schema.method import Statistics
from dart.stats.compare import exact_comparison
from dart.stats.decision import benchmarks_of
from dart.stats.harm import RISE, exact_harm_tests

OVERALL, *CONDITIONS = RESERVED
METADATA = ("gold", "benchmark", "scenario")  # what a suite file can add to outputs
Comparisons = dict[str, dict[str, Any] | None]

_CONDITION: Mapping[Label, Condition] = {"YES": "DIFF", "NO": "EQUAL"}
_UNREAD = "(not in the file)"  # a score without its text counts as a rationale's
_DEFAULT_STATISTICS = Statistics(resamples=10_000, confidence=0.95)


def with_suite(outputs: Outputs, suite: Outputs) -> Outputs:
    """The outputs with gold, benchmark and scenario of the suite's items.

    Raises:
        DataError: an id that the suite does not have, or a value that the suite contradicts.
    """
    problems = Problems(f"{outputs.name} with {suite.name}")
    items = {item.id: item for item in suite.rows}
    rows = []
    for output in outputs.rows:
        item = items.get(output.id)
        if item is None:
            problems.add("id that the suite does not have", f"{output.id} (line {output.line})")
            continue
        metadata = {name: getattr(item, name) for name in METADATA}
        for name, value in metadata.items():
            own = getattr(output, name)
            if None not in (own, value) and own != value:
                problems.add(f"'{name}' that the suite contradicts", f"{output.id} (line {output.line})")
        update = {name: value for name, value in metadata.items() if value is not None}
        rows.append(output.model_copy(update=update))
    problems.raise_any("Give the suite that these answers were made for.")
    return Outputs(outputs.name, rows)


class Pairs(NamedTuple):
    """Two files aligned by id, in the order of the base file; benchmark and scenario are from either file."""

    items: list[Item]
    base: list[Output]
    other: list[Output]
    has_benchmarks: bool
    has_scenarios: bool


def align(base: Outputs, other: Outputs) -> Pairs:
    """Pair the rows by id.

    Raises:
        DataError: ids on one side only, no gold label on either side, or rows that contradict each other.
    """
    first, second = ({output.id: output for output in side.rows} for side in (base, other))
    problems = Problems(f"{base.name} and {other.name}")
    for rows, other_rows, name in ((first, second, base.name), (second, first, other.name)):
        for key in rows:
            if key not in other_rows:
                problems.add(f"id only in {name}", f"{key} (line {rows[key].line})")
    items = []
    for key in first:
        if key not in second:
            continue
        metadata: dict[str, Any] = {}
        for name in METADATA:
            values = {getattr(side[key], name) for side in (first, second)} - {None}
            if len(values) > 1:
                problems.add(f"'{name}' differs", f"{key} (lines {first[key].line} and {second[key].line})")
            metadata[name] = next(iter(values), None)
        if metadata["gold"] is None:
            problems.add("no gold label", f"{key} (line {first[key].line})")
        elif not problems.kinds:
            items.append(_item(key, metadata))
    problems.raise_any("Both files must answer the same prompts; gold labels may come from a suite file (--suite).")
    outputs = [*base.rows, *other.rows]
    return Pairs(
        items,
        [first[item.id] for item in items],
        [second[item.id] for item in items],
        has_benchmarks=any(output.benchmark for output in outputs),
        has_scenarios=any(output.scenario for output in outputs),
    )


def _item(key: str, metadata: Mapping[str, Any]) -> Item:
    gold = cast(Label, metadata["gold"])
    return Item(
        id=key,
        benchmark=metadata["benchmark"] or OVERALL,
        condition=_CONDITION[gold],
        gold=gold,
        prompt="",
        scenario=metadata["scenario"] or key,
    )


def _generations(outputs: Sequence[Output], score: str = "toxicity") -> list[Generation]:
    return [
        Generation(
            item_id=output.id,
            variant="",
            text="",
            rationale=_UNREAD if output.rationale is None else output.rationale,
            prediction=output.prediction,
            new_tokens=0,
            model="",
            revision="",
            prompt_hash="",
            toxicity=getattr(output, score),
        )
        for output in outputs
    ]


def compare_outputs(
    base: Outputs,
    other: Outputs,
    statistics: Statistics = _DEFAULT_STATISTICS,
    seed: int = 0,
    tau: float = RISE,
) -> Comparisons:
    """{"overall", "DIFF", "EQUAL", each benchmark: comparison}, a comparison as of `exact_comparison`, not rounded.

    A condition without items is None. "overall" also holds "harm" ({"toxicity" | "hate": `exact_harm_tests`}) for every
    score that both files have; "accuracy_difference_by_scenario" is there only if the files name scenarios. `tau`: a
    score that moves by more has risen or fallen.

    Raises:
        DataError: the files do not pair one to one.
    """
    pairs = align(base, other)
    subsets: dict[str, Callable[[Item], bool]] = {OVERALL: lambda item: True}
    subsets |= {name: _has_condition(name) for name in CONDITIONS}
    if pairs.has_benchmarks:
        subsets |= {name: _has_benchmark(name) for name in benchmarks_of(pairs.items)}
    result: Comparisons = {}
    for row, is_member in subsets.items():
        indices = [index for index, item in enumerate(pairs.items) if is_member(item)]
        result[row] = _comparison(pairs, indices, statistics, seed, row) if indices else None
    harm = _harm(pairs, statistics, seed, tau)
    if harm:
        cast(dict[str, Any], result[OVERALL])["harm"] = harm
    return result


def _has_condition(name: str) -> Callable[[Item], bool]:
    return lambda item: item.condition == name


def _has_benchmark(name: str) -> Callable[[Item], bool]:
    return lambda item: item.benchmark == name


def _comparison(pairs: Pairs, indices: Sequence[int], statistics: Statistics, seed: int, row: str) -> dict[str, Any]:
    items = [pairs.items[index] for index in indices]
    base, other = (_generations([side[index] for index in indices]) for side in (pairs.base, pairs.other))
    comparison = exact_comparison(items, base, other, statistics, seed, row)
    if not pairs.has_scenarios:
        del comparison["accuracy_difference_by_scenario"]
    return comparison


class MovedPair(Record):
    """A pair with one of its scores before and after; the texts are None where a file has none."""

    id: str
    score: str
    base: float
    other: float
    change: float
    gold: Label
    benchmark: str | None
    prediction_base: Label | None
    prediction_other: Label | None
    rationale_base: str | None
    rationale_other: str | None


def moved_pairs(base: Outputs, other: Outputs, most: int = 50) -> list[MovedPair]:
    """The pairs whose score moved most, up or down, largest first; ties by id. Pairs without a rationale are left out.

    Raises:
        DataError: the files do not pair one to one.
    """
    pairs = align(base, other)
    rows = []
    for score in SCORES:
        for item, one, two in zip(pairs.items, pairs.base, pairs.other, strict=True):
            before, after = getattr(one, score), getattr(two, score)
            explained = all(side.rationale is None or side.rationale.strip() for side in (one, two))
            if before is not None and after is not None and explained:
                row = MovedPair(
                    id=item.id, score=score, base=before, other=after, change=after - before, gold=item.gold,
                    benchmark=item.benchmark if pairs.has_benchmarks else None, prediction_base=one.prediction,
                    prediction_other=two.prediction, rationale_base=one.rationale, rationale_other=two.rationale,
                )  # fmt: skip
                rows.append(row)
    return sorted(rows, key=lambda row: (-abs(row.change), row.id, row.score))[:most]


def _harm(pairs: Pairs, statistics: Statistics, seed: int, tau: float) -> dict[str, Any]:
    harm = {}
    for score in SCORES:
        if all(getattr(output, score) is not None for output in [*pairs.base, *pairs.other]):
            base, other = _generations(pairs.base, score), _generations(pairs.other, score)
            harm[score] = exact_harm_tests(pairs.items, base, other, statistics, seed, score, tau)
    return harm


def read_pair(base_path: Path, other_path: Path, suite_path: Path | None = None) -> tuple[Outputs, Outputs]:
    """Two files, with gold labels, benchmarks and scenarios from a suite file if there is one.

    Raises:
        DataError: naming file, line and id.
    """
    base, other = read_outputs(base_path), read_outputs(other_path)
    if suite_path is not None:
        suite = read_outputs(suite_path, "suite")
        base, other = with_suite(base, suite), with_suite(other, suite)
        answered = {output.id for output in base.rows} | {output.id for output in other.rows}
        if missing := [item.id for item in suite.rows if item.id not in answered]:
            raise DataError(
                f"{suite_path}: {len(missing)} items have no answer in {base_path} and {other_path}: "
                f"{some(missing)}. Give the split that was answered, for example test.jsonl."
            )
    return base, other


def compare_files(
    base_path: Path,
    other_path: Path,
    suite_path: Path | None = None,
    statistics: Statistics = _DEFAULT_STATISTICS,
    seed: int = 0,
    tau: float = RISE,
) -> Comparisons:
    """`compare_outputs` of two files (`read_pair`).

    Raises:
        DataError: naming file, line and id.
    """
    return compare_outputs(*read_pair(base_path, other_path, suite_path), statistics, seed, tau)

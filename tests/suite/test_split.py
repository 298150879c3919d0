"""Selection, splits and folds: disjoint, of the sizes asked, stratified, and the same in whatever order items come."""

import os
import random
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dart.core.errors import DataError
from dart.core.records import BENCHMARKS, Item
from dart.core.schema.method import Split
from dart.core.schema.profile import Sizes, SuiteSpec
from dart.suite.card import STATEMENT, suite_card
from dart.suite.raw import RawItem
from dart.suite.sources import SourceSuite, read_suite
from dart.suite.split import Suite, split_suite

TABLE_6 = SuiteSpec(
    source="difference_awareness",
    sizes={
        "default": Sizes(train=600, validation=200, test=200),
        "D1": Sizes(train=600, validation=200, test=224),
    },
)
BY_ITEM = Split(by="item", folds=5)
BY_SCENARIO = Split(by="scenario", folds=5)
PARTS = ("train", "validation", "test", "outside")
quick = settings(max_examples=60, deadline=None, derandomize=True)


def _items(benchmark: str, diff: int, equal: int, per_scenario: int = 1) -> list[RawItem]:
    return [
        RawItem(
            benchmark=benchmark,
            condition=condition,
            index=index,
            question=f"{benchmark} {condition} {index}",
            answer=0,
            scenario=str(index // per_scenario),
        )
        for condition, count in (("DIFF", diff), ("EQUAL", equal))
        for index in range(count)
    ]


def _spec(train: int, validation: int, test: int) -> SuiteSpec:
    return SuiteSpec(source="x", sizes={"default": Sizes(train=train, validation=validation, test=test)})


def _scenarios(items: list[Item]) -> set[tuple[str, str]]:
    return {(item.benchmark, item.scenario) for item in items}


def _conditions(items: list[Item], benchmark: str) -> Counter[str]:
    return Counter(item.condition for item in items if item.benchmark == benchmark)


def _assert_disjoint(suite: Suite) -> None:
    for one, other in combinations(PARTS, 2):
        assert not {item.id for item in getattr(suite, one)} & {item.id for item in getattr(suite, other)}


def test_table_6() -> None:
    raw = [item for name in BENCHMARKS for item in _items(name, 1000, 1000)]
    suite = split_suite(raw, TABLE_6, BY_ITEM, 42)
    assert (len(suite.train), len(suite.validation), len(suite.test)) == (4800, 1600, 1624)
    assert len(suite.outside) == 16_000 - 8_024
    for name in BENCHMARKS:
        test = 112 if name == "D1" else 100
        assert _conditions(suite.train, name) == {"DIFF": 300, "EQUAL": 300}
        assert _conditions(suite.validation, name) == {"DIFF": 100, "EQUAL": 100}
        assert _conditions(suite.test, name) == {"DIFF": test, "EQUAL": test}
    assert len(suite.folds) == 6_424
    assert set(Counter(suite.folds.values()).values()) == {1284, 1285}
    assert suite.notes == ()
    _assert_disjoint(suite)


@quick
@given(
    diff=st.integers(1, 40),
    equal=st.integers(1, 40),
    sizes=st.tuples(st.integers(2, 15), st.integers(2, 15), st.integers(2, 15)),
    seed=st.integers(0, 2**31),
)
def test_sizes_are_met_and_stratified(diff: int, equal: int, sizes: tuple[int, int, int], seed: int) -> None:
    raw = _items("D1", diff, equal)
    asked = sum(sizes)
    if diff + equal < asked:
        with pytest.raises(DataError, match=f"D1: {asked} items requested.*only {diff + equal} available"):
            split_suite(raw, _spec(*sizes), BY_ITEM, seed)
        return
    # Every split's share of the scarcer condition must be at least one item, or the split is refused (tested below).
    assume(min(diff, equal) * min(sizes) >= asked)
    suite = split_suite(raw, _spec(*sizes), Split(by="item", folds=2), seed)
    assert (len(suite.train), len(suite.validation), len(suite.test)) == sizes
    assert len(suite.outside) == diff + equal - asked
    _assert_disjoint(suite)
    balanced = min(diff, equal) >= (asked + 1) // 2
    used = sum(_conditions(getattr(suite, name), "D1")["DIFF"] for name in PARTS[:3])
    for name in PARTS[:3]:
        found = _conditions(getattr(suite, name), "D1")
        assert abs(found["DIFF"] - used * found.total() / asked) < 1
        if balanced:
            assert abs(found["DIFF"] - found["EQUAL"]) <= found.total() % 2
    assert balanced == (not suite.notes) or min(diff, equal) == asked // 2


@st.composite
def _grouped(draw: st.DrawFn) -> list[RawItem]:
    """A benchmark whose scenarios have any number of items of either condition."""
    shapes = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=6, max_size=40))
    items: list[RawItem] = []
    index = Counter[str]()
    for scenario, shape in enumerate(shapes):
        for condition, count in zip(("DIFF", "EQUAL"), shape, strict=True):
            for _ in range(count):
                items.append(
                    RawItem(
                        benchmark="D3",
                        condition=condition,
                        index=index[condition],
                        question=f"{condition} {index[condition]}",
                        answer=0,
                        scenario=str(scenario),
                    )
                )
                index[condition] += 1
    return items


@quick
@given(raw=_grouped(), sizes=st.tuples(*[st.integers(2, 14)] * 3), seed=st.integers(0, 2**31))
def test_scenario_split_shares_no_scenario(raw: list[RawItem], sizes: tuple[int, int, int], seed: int) -> None:
    assume(len(raw) >= sum(sizes) and len({item.condition for item in raw}) == 2)
    try:
        suite = split_suite(raw, _spec(*sizes), Split(by="scenario", folds=2), seed)
    except DataError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "both conditions" in refused or "would not have any" in refused
        return
    _assert_disjoint(suite)
    for one, other in (*combinations(PARTS[:3], 2), ("test", "outside"), ("validation", "outside")):
        assert not _scenarios(getattr(suite, one)) & _scenarios(getattr(suite, other)), (one, other)
    by_id = {item.id: item.scenario for item in (*suite.train, *suite.test)}
    folds_of = defaultdict(set)
    for name, fold in suite.folds.items():
        folds_of[by_id[name]].add(fold)
    assert all(len(folds) == 1 for folds in folds_of.values())
    for name, size in zip(PARTS, sizes, strict=False):
        assert len(getattr(suite, name)) <= size
        if len(getattr(suite, name)) < size:
            assert any(f"{name} has" in note for note in suite.notes), "a shortage must be reported"
    unused = len(raw) - sum(len(getattr(suite, name)) for name in PARTS)
    assert bool(unused) == any("left out" in note for note in suite.notes)


@quick
@given(raw=_grouped(), by=st.sampled_from(["item", "scenario"]), order=st.randoms(use_true_random=False))
def test_order_of_the_source_does_not_matter(raw: list[RawItem], by: str, order: random.Random) -> None:
    assume(len(raw) >= 12)
    shuffled = list(raw)
    order.shuffle(shuffled)
    results = []
    for items in (raw, shuffled):
        try:
            results.append(split_suite(items, _spec(4, 4, 4), Split(by=by, folds=2), 7))
        except DataError as error:
            results.append(str(error))
    assert results[0] == results[1]


def test_seed_and_other_benchmarks() -> None:
    raw = _items("D1", 50, 50)
    suite = split_suite(raw, _spec(20, 20, 20), BY_ITEM, 42)
    assert suite == split_suite(raw, _spec(20, 20, 20), BY_ITEM, 42)
    assert suite.test != split_suite(raw, _spec(20, 20, 20), BY_ITEM, 43).test
    both = split_suite(_items("D2", 50, 50) + raw, _spec(20, 20, 20), BY_ITEM, 42)
    assert [item for item in both.test if item.benchmark == "D1"] == suite.test, "a benchmark does not move another"


def test_conditions_and_benchmarks_are_drawn_independently() -> None:
    suite = split_suite([*_items("D1", 50, 50), *_items("D2", 50, 50)], _spec(20, 20, 20), BY_ITEM, 42)
    drawn = defaultdict(set)
    for item in suite.test:
        drawn[item.benchmark, item.condition].add(item.id.rsplit("-", 1)[1])
    assert len({frozenset(indices) for indices in drawn.values()}) == 4


def test_folds_are_stratified() -> None:
    suite = split_suite([*_items("D1", 60, 60), *_items("N4", 60, 60)], _spec(33, 10, 20), BY_ITEM, 42)
    strata: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for item in (*suite.train, *suite.test):
        strata[item.benchmark, item.condition][suite.folds[item.id]] += 1
    assert set(suite.folds) == {item.id for item in (*suite.train, *suite.test)}
    for counts in strata.values():
        assert len(counts) == 5
        assert max(counts.values()) - min(counts.values()) <= 1


def test_scenario_split_reports_what_it_could_not_fill() -> None:
    suite = split_suite(_items("D3", 100, 100, per_scenario=25), _spec(40, 10, 40), Split(by="scenario", folds=2), 42)
    assert len(suite.validation) == 10
    assert any("left out altogether" in note for note in suite.notes)
    short = split_suite(_items("D3", 40, 40, per_scenario=10), _spec(30, 10, 40), Split(by="scenario", folds=2), 1)
    assert any("instead of" in note for note in short.notes)


@pytest.mark.parametrize("seed", range(5))
def test_scenario_split_prefers_scenarios_that_fit(seed: int) -> None:
    large, small = _items("D3", 30, 30, per_scenario=5), _items("D3", 20, 20)
    small = [item.model_copy(update={"index": item.index + 30, "scenario": f"s{item.index}"}) for item in small]
    suite = split_suite([*large, *small], _spec(20, 4, 4), Split(by="scenario", folds=2), seed)
    assert suite.notes == ()
    assert sum(len(getattr(suite, name)) for name in PARTS) == 100


def test_scenario_split_that_would_lack_a_condition_is_an_error() -> None:
    one_scenario = _items("D3", 40, 40, per_scenario=40)
    with pytest.raises(DataError, match=r"D3: .* would not have any DIFF item.*split\.by: item"):
        split_suite(one_scenario, _spec(20, 10, 10), BY_SCENARIO, 42)


def test_scenarios_of_two_benchmarks_are_different_scenarios() -> None:
    raw = [*_items("D3", 60, 60, per_scenario=3), *_items("N4", 60, 60, per_scenario=3)]
    suite = split_suite(raw, _spec(60, 20, 20), BY_SCENARIO, 42)
    _assert_disjoint(suite)
    assert len(suite.test) == 40


@pytest.mark.parametrize("sizes", [(150, 30, 30), (2, 2, 300)])
def test_too_few_items_name_benchmark_asked_and_available(sizes: tuple[int, int, int]) -> None:
    available = r"only 200 available \(DIFF 90, EQUAL 110\)"
    with pytest.raises(DataError, match=rf"N3: {sum(sizes)} items requested.*{available}"):
        split_suite(_items("N3", 90, 110), _spec(*sizes), BY_ITEM, 42)


def test_a_condition_too_rare_for_every_split_is_an_error() -> None:
    with pytest.raises(DataError, match="N3: test would not have any DIFF item"):
        split_suite(_items("N3", 2, 200), _spec(60, 40, 2), BY_ITEM, 42)


def test_too_many_folds_are_an_error() -> None:
    with pytest.raises(DataError, match=r"split\.folds is 9"):
        split_suite(_items("N3", 20, 20), _spec(4, 2, 4), Split(by="item", folds=9), 42)


def test_two_items_with_one_id_are_an_error() -> None:
    raw = _items("N3", 20, 20)
    with pytest.raises(DataError, match="N3-DIFF-0"):
        split_suite([*raw, raw[0]], _spec(4, 2, 4), BY_ITEM, 42)


def test_no_items_are_an_error() -> None:
    with pytest.raises(DataError, match="no items"):
        split_suite([], _spec(4, 2, 4), BY_ITEM, 42)


def test_sizes_of_an_absent_benchmark_are_reported() -> None:
    spec = SuiteSpec(source="x", sizes={**_spec(6, 4, 6).sizes, "D9": Sizes(train=2, validation=2, test=2)})
    suite = split_suite(_items("N3", 20, 20), spec, Split(by="item", folds=2), 42)
    assert any("D9" in note for note in suite.notes)


def test_unbalanced_source_keeps_its_ratio_in_every_split() -> None:
    suite = split_suite(_items("own", 30, 170), _spec(120, 40, 40), BY_ITEM, 42)
    assert [_conditions(part, "own")["DIFF"] for part in (suite.train, suite.validation, suite.test)] == [18, 6, 6]
    assert any("no equal halves" in note for note in suite.notes)


def test_card_counts_and_shared_scenarios() -> None:
    raw = _items("D3", 40, 40, per_scenario=40)
    source = SourceSuite(raw, {"D3": "D3 (short)"}, {"repository": "r"})
    suite = split_suite(raw, _spec(20, 10, 10), BY_ITEM, 42)
    card = suite_card(source, suite)
    assert card["names"] == {"D3": "D3 (short)"}
    assert card["authors_statement"] == STATEMENT
    assert card["counts"]["D3"]["DIFF"] == {
        "train": 10,
        "validation": 5,
        "test": 5,
        "outside": 20,
        "source": 40,
        "unused": 0,
    }
    assert card["totals"] == {"train": 20, "validation": 10, "test": 10, "outside": 40, "source": 80, "unused": 0}
    assert card["shared_scenarios"]["D3"]["train+test"] == 1
    assert card["test_items_with_siblings"]["D3"] == {"train": 10, "validation": 10, "outside": 10}
    assert card["folds"] == [6, 6, 6, 6, 6]


def test_card_of_a_scenario_split_shares_none_and_counts_the_unused() -> None:
    raw = _items("D3", 100, 100, per_scenario=25)
    suite = split_suite(raw, _spec(40, 10, 40), Split(by="scenario", folds=2), 42)
    card = suite_card(SourceSuite(raw, {}, {}), suite)
    shared = card["shared_scenarios"]["D3"]
    assert (shared["train+validation"], shared["train+test"], shared["validation+test"], shared["test+outside"]) == (
        0,
    ) * 4
    held = sum(len(getattr(suite, name)) for name in PARTS)
    assert card["totals"]["unused"] == len(raw) - held > 0
    assert sum(counts["unused"] for counts in card["counts"]["D3"].values()) == card["totals"]["unused"]
    assert card["names"] == {"D3": "D3"}


@pytest.fixture(scope="module")
def real() -> SourceSuite:
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("DART_DATA_DIR") or default)
    if not folder.is_dir():
        pytest.skip("the published suite is not on this machine (DART_DATA_DIR)")
    return read_suite("difference_awareness", folder)


@pytest.mark.parametrize("split", [BY_ITEM, BY_SCENARIO], ids=["item", "scenario"])
def test_real_suite_reaches_table_6_either_way(real: SourceSuite, split: Split) -> None:
    suite = split_suite(real.items, TABLE_6, split, 42)
    card = suite_card(real, suite)
    for name in BENCHMARKS:
        test = 112 if name == "D1" else 100
        for condition in ("DIFF", "EQUAL"):
            counts = card["counts"][name][condition]
            assert (counts["train"], counts["validation"], counts["test"]) == (300, 100, test)
    leaked = sum(counts["train"] for counts in card["test_items_with_siblings"].values())
    assert (leaked == 0) == (split.by == "scenario")
    assert card["totals"]["unused"] < 300

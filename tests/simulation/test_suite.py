"""The embedded suite has the real one's shapes, no duplicates, and labels that can be learnt but not read off."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

import pytest

from dart.core.errors import DataError
from dart.core.records import BENCHMARKS
from dart.simulation import rules
from dart.simulation.suite import ITEMS_PER_CONDITION, write_suite
from dart.simulation.suite.facts import EXCEPTIONS, Facts
from dart.simulation.suite.lexicon import COUNTRIES, FAITHS
from dart.suite.raw import RawItem


@cache
def items(seed: int = 7) -> list[RawItem]:
    return write_suite(seed).items


def of(benchmark: str) -> list[RawItem]:
    return [item for item in items() if item.benchmark == benchmark]


def test_every_benchmark_and_condition_has_its_number_of_items() -> None:
    counts = Counter((item.benchmark, item.condition) for item in items())
    assert counts == {(name, half): ITEMS_PER_CONDITION for name in BENCHMARKS for half in ("DIFF", "EQUAL")}
    assert len({(item.benchmark, item.condition, item.index) for item in items()}) == len(items())


def test_no_question_occurs_twice() -> None:
    assert len({item.question for item in items()}) == len(items())


def test_questions_end_with_three_options() -> None:
    for item in items():
        text, options = item.question.split("\n")
        assert text.endswith("?")
        assert [options.count(mark) for mark in ("(a) ", "(b) ", "(c) ")] == [1, 1, 1]


def test_answers_mean_what_they_mean_in_the_real_suite() -> None:
    for item in items():
        if item.condition == "EQUAL" and item.benchmark.startswith("D"):
            assert item.answer == 2
        else:
            assert item.answer in (0, 1)
    for benchmark in BENCHMARKS:
        first = Counter(item.answer for item in of(benchmark) if item.condition == "DIFF")
        assert 0.4 < first[0] / first.total() < 0.6, benchmark


def test_scenarios_repeat_where_they_do_in_the_real_suite() -> None:
    for benchmark in BENCHMARKS:
        scenarios = {half: [i.scenario for i in of(benchmark) if i.condition == half] for half in ("DIFF", "EQUAL")}
        distinct = len({*scenarios["DIFF"], *scenarios["EQUAL"]})
        if benchmark in ("D1", "D2", "N2"):
            assert distinct == 2 * ITEMS_PER_CONDITION
        elif benchmark == "D4":
            assert len(set(scenarios["EQUAL"])) == ITEMS_PER_CONDITION > len(set(scenarios["DIFF"]))
        else:
            assert distinct < ITEMS_PER_CONDITION / 2
        if benchmark in ("D3", "N1"):
            assert set(scenarios["DIFF"]) & set(scenarios["EQUAL"])  # siblings with different labels


def test_the_same_seed_gives_the_same_suite_and_another_seed_another() -> None:
    assert write_suite(7, 20) == write_suite(7, 20)
    assert {item.question for item in write_suite(7, 20).items} != {item.question for item in write_suite(8, 20).items}
    questions = [(item.question, item.condition) for item in write_suite(7, 20).items]
    assert questions[:20] == [(item.question, item.condition) for item in of("D1")[:20]]  # fewer is a prefix


@pytest.mark.parametrize("benchmark", [name for name in BENCHMARKS if name not in ("N1", "N2")])
def test_no_single_word_decides_the_label(benchmark: str) -> None:
    """Always answering by the best single word is right in few more than half of the cases."""
    half: dict[str, Counter[str]] = defaultdict(Counter)
    for item in of(benchmark):
        for word in set(item.question.replace("\n", " ").split()):
            half[word][item.condition] += 1
    size = 2 * ITEMS_PER_CONDITION
    best = max((max(c["DIFF"], c["EQUAL"]) + size / 2 - min(c["DIFF"], c["EQUAL"])) / size for c in half.values())
    assert best < 0.68


@pytest.mark.parametrize("benchmark", ["N1", "N2"])
def test_the_wording_of_two_benchmarks_gives_the_label_away_as_in_the_real_suite(benchmark: str) -> None:
    endings = {
        half: {i.question.split("(c) ")[1] for i in of(benchmark) if i.condition == half} for half in ("DIFF", "EQUAL")
    }
    assert not endings["DIFF"] & endings["EQUAL"]


def test_labels_follow_facts_that_unseen_items_share() -> None:
    """The region tells whether a faith is persecuted, except in the declared exceptions (half of which change it)."""
    cells = [(country, faith) for country in COUNTRIES for faith in FAITHS]
    left = 0
    for seed in range(10):
        facts = Facts(seed)
        by_region: dict[tuple[str, str], Counter[bool]] = defaultdict(Counter)
        for country, faith in cells:
            by_region[country.split()[0], faith][facts.persecuted(country, faith)] += 1
        left += sum(min(counts[True], counts[False]) for counts in by_region.values())
    assert 0.3 < left / (10 * len(cells)) / EXCEPTIONS < 0.7


def test_support_at_work_follows_the_table_of_occupations() -> None:
    """N3's deserving group is never the one that D2 finds overrepresented."""
    favoured = {}
    for item in of("D2"):
        text, options = item.question.split("\n")
        groups = options.removeprefix("(a) ").split(" (c) ")[0].split(" (b) ")
        work = text.split("among ")[1].split(" by more")[0]
        favoured[work, frozenset(groups)] = groups[item.answer] if item.condition == "DIFF" else None
    compared = 0
    for item in of("N3"):
        text, options = item.question.split("\n")
        groups = options.removeprefix("(a) ").split(" (c) ")[0].split(" (b) ")
        work = next((work for work, _ in favoured if work in text), None)
        key = (work, frozenset(groups))
        if key in favoured:
            compared += 1
            assert (favoured[key] is not None) == (item.condition == "DIFF")  # type: ignore[index]
            if item.condition == "DIFF":
                assert groups[item.answer] != favoured[key]  # type: ignore[index]
    assert compared > 200


def test_the_rule_words_of_the_real_suite_do_not_occur() -> None:
    pattern = rules._words(*rules._HEDGE_REAL, *rules._NO_REAL)
    assert not any(pattern.search(item.question) for item in items())


def test_the_rule_words_of_the_embedded_suite_do_occur() -> None:
    text = "\n".join(item.question for item in items())
    for word in (*rules._HEDGE_EMBEDDED, *rules._NO_EMBEDDED):
        assert rules._words(word).search(text), word


def test_too_many_items_are_refused_with_the_benchmark() -> None:
    with pytest.raises(DataError, match=r"condition of D\d"):
        write_suite(7, 1800)


def test_provenance_says_that_it_is_simulated() -> None:
    source = write_suite(7, 5)
    assert source.provenance["source"] == "embedded"
    assert "simulated" in source.provenance["note"]
    assert set(source.names) == set(BENCHMARKS)

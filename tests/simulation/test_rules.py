"""The rules see wording only, know every benchmark, and give the base the paper's failure at the start."""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from dart.core.records import BENCHMARKS, Item
from dart.simulation import rules, sentences
from dart.simulation.suite import write_suite
from dart.suite.sources import read_suite

DATA = Path(os.environ.get("DART_DATA_DIR") or Path(__file__).parents[2] / ".." / "shared" / "data")


@cache
def items_of(suite: str) -> list[Item]:
    source = write_suite(7) if suite == "embedded" else read_suite("difference_awareness", DATA)
    return [raw.as_item() for raw in source.items]


SUITES = [
    "embedded",
    pytest.param("real", marks=pytest.mark.skipif(not DATA.is_dir(), reason="the published suite is not here")),
]


@pytest.mark.parametrize("suite", SUITES)
def test_every_benchmark_is_recognised_by_its_wording(suite: str) -> None:
    wrong = Counter(item.benchmark for item in items_of(suite) if rules.benchmark_of(item.prompt) != item.benchmark)
    assert wrong == {}


@pytest.mark.parametrize("suite", SUITES)
def test_the_base_fails_as_the_papers_base_does(suite: str) -> None:
    """Paper (8B): parse .73, YES .89 of parsed, DIFF .66, EQUAL .11."""
    said = Counter((item.gold, rules.base_behaviour(item.prompt)) for item in items_of(suite))
    total = said.total()
    yes, no = (said["YES", word] + said["NO", word] for word in ("yes", "no"))
    assert 0.67 < (yes + no) / total < 0.77
    assert 0.83 < yes / (yes + no) < 0.91
    assert 0.55 < said["YES", "yes"] / (total / 2) < 0.68
    assert 0.07 < said["NO", "no"] / (total / 2) < 0.15


@pytest.mark.parametrize("suite", SUITES)
def test_in_no_benchmark_does_the_base_know_the_label(suite: str) -> None:
    """Accuracy among parsed answers stays near one half: the rule words say little about the label.

    On the real suite N2's label can be told from single words (its halves come from two corpora), so it is left out.
    """
    for benchmark in BENCHMARKS:
        if suite == "real" and benchmark == "N2":
            continue
        said = Counter(
            (item.gold, rules.base_behaviour(item.prompt)) for item in items_of(suite) if item.benchmark == benchmark
        )
        parsed = sum(count for (_, word), count in said.items() if word != "hedge")
        right = (said["YES", "yes"] + said["NO", "no"]) / parsed
        assert abs(right - 0.5) < 0.1, benchmark


@pytest.mark.parametrize("suite", SUITES)
def test_cautions_stand_on_half_of_the_questions_of_two_benchmarks(suite: str) -> None:
    items = items_of(suite)
    cautions = Counter(item.benchmark for item in items if rules.has_caution(item.prompt))
    of_each = Counter(item.benchmark for item in items)
    assert set(cautions) == rules.CAUTION_BENCHMARKS
    assert all(cautions[benchmark] / of_each[benchmark] == 0.5 for benchmark in cautions)


@pytest.mark.parametrize("suite", SUITES)
def test_topics_are_few_and_quote_little(suite: str) -> None:
    topics = {(item.benchmark, rules.topic_of(item.prompt)) for item in items_of(suite)}
    per_benchmark = Counter(benchmark for benchmark, _ in topics)
    assert set(per_benchmark) == set(BENCHMARKS)
    assert all(topic in sentences.TOPICS[benchmark] for benchmark, topic in topics)
    assert sum(per_benchmark.values()) > len(BENCHMARKS)  # they vary at all
    assert all(len(topic) < 40 for _, topic in topics)  # the acceptance rule's window


def test_words_match_whole_and_in_their_case() -> None:
    assert rules.base_behaviour("a contest") == "no"
    assert rules.base_behaviour("a contestant") == "yes"
    assert rules.base_behaviour("A Contest") == "yes"
    assert rules.base_behaviour("a left-handed one") == "hedge"
    assert rules.base_behaviour("Hispanic/Latino people") == "hedge"
    assert rules.base_behaviour("a moss-free one") == "yes"


def test_a_hedge_word_outweighs_a_no_word() -> None:
    assert rules.base_behaviour("a contest at the quarry") == "hedge"


def test_a_prompt_of_no_benchmark_is_answered_too() -> None:
    prompt = "Tell me about the sea."
    assert rules.benchmark_of(prompt) == sentences.OTHER
    assert not rules.has_caution(prompt)
    assert rules.base_text(prompt).endswith("Conclusion: YES")
    assert sentences.TOPIC_SENTENCES[sentences.OTHER].format(rules.topic_of(prompt))

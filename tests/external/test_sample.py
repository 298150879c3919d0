"""Samples: stratified, seeded, independent of the order of the file, and complete where everything is asked for."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dart.core.errors import DataError
from dart.external.items import SUITES
from dart.external.loaders import load_suite
from dart.external.sample import draw_sample, in_equal_parts, in_proportion, suite_card
from dart.simulation.external_suites import embedded_files

COUNTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 60), min_size=1)


@given(COUNTS, st.floats(0, 1))
def test_allotments_sum_up_and_never_exceed_what_there_is(available: dict[str, int], share: float) -> None:
    size = round(share * sum(available.values()))
    for shares in (in_proportion(available, size), in_equal_parts(available, size)):
        assert sum(shares.values()) == size
        assert all(0 <= shares[name] <= count for name, count in available.items())


@given(COUNTS, st.floats(0, 1))
def test_proportion_is_off_by_less_than_one_item(available: dict[str, int], share: float) -> None:
    total = sum(available.values())
    size = round(share * total)
    assert all(abs(n - size * available[k] / total) < 1 for k, n in in_proportion(available, size).items())


def test_equal_parts_share_what_a_small_stratum_lacks() -> None:
    assert in_equal_parts({"a": 1073, "b": 330, "c": 113, "d": 880}, 1000) == {"a": 296, "b": 295, "c": 113, "d": 296}


def test_a_sample_depends_on_the_seed_and_not_on_the_order() -> None:
    items = load_suite("bold", embedded_files("bold", 42))
    first = {item.id for item in draw_sample(items, 60, 1)}
    assert first == {item.id for item in draw_sample(items[::-1], 60, 1)}
    assert first != {item.id for item in draw_sample(items, 60, 2)}
    assert [item.id for item in draw_sample(items, 60, 1)] == [item.id for item in items if item.id in first]


def test_hatecheck_is_drawn_by_functionality() -> None:
    items = load_suite("hatecheck", embedded_files("hatecheck", 42))
    drawn = Counter(item.functionality for item in draw_sample(items, 358, 1))
    whole = {name for name, count in Counter(item.functionality for item in items).items() if count == 35}
    assert {drawn[name] for name in whole} == {14}


@pytest.mark.parametrize("suite", SUITES)
def test_all_or_too_many(suite: str) -> None:
    items = load_suite(suite, embedded_files(suite, 42))  # type: ignore[arg-type]
    assert draw_sample(items, len(items), 1) == items
    with pytest.raises(
        DataError, match=rf"external.sizes.{suite} is {len(items) + 1}, but .* has {len(items)} prompts"
    ):
        draw_sample(items, len(items) + 1, 1)
    with pytest.raises(DataError, match="no prompts"):
        draw_sample([], 1, 1)


def test_the_card_names_who_is_in_no_slice() -> None:
    items = load_suite("bold", embedded_files("bold", 42))
    card = suite_card("bold", items, items, {"licence": "x"})
    assert card["outside_slices"] == {"gender + race": 4}
    assert card["groups"] == dict.fromkeys(
        ("gender", "race", "religious_ideology", "political_ideology", "profession"), 48
    )
    assert sum(card["groups"].values()) + 4 == card["sampled"] == card["available"]
    cases = load_suite("hatecheck", embedded_files("hatecheck", 42))
    assert suite_card("hatecheck", cases, cases, {})["outside_slices"] == {"none": 20}

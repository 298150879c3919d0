"""Functionalities, matched and failing subset, and the check that the hate score is not upside down."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dart.core.errors import ModelError
from dart.external.analysis import Pairs
from dart.external.hatecheck import (
    CLASSES,
    by_functionality,
    class_of,
    failing,
    hate_on_labels,
    matched,
    require_upright,
    subsets,
)
from dart.external.items import Answer, ExternalItem
from dart.external.loaders import load_suite
from dart.simulation.external_suites import embedded_files

MakeAnswer = Callable[..., Answer]
MakeItem = Callable[..., ExternalItem]


@pytest.fixture
def pairs(an_item: MakeItem, an_answer: MakeAnswer) -> Pairs:
    """100 pairs; base abstains on every fifth; hate rises with the number from item 50 on and falls below it."""
    items = tuple(an_item(i, "Velans", functionality="counter_ref_nh" if i % 2 else "derog_impl_h") for i in range(100))
    base = tuple(an_answer(item.id, "base", 0.1, 0.5, None if i % 5 == 0 else "NO") for i, item in enumerate(items))
    repaired = tuple(an_answer(item.id, "repaired", 0.1, i / 100) for i, item in enumerate(items))
    return Pairs(items, base, repaired)


def test_the_matched_subset_holds_what_base_answered(pairs: Pairs) -> None:
    assert len(matched(pairs).items) == 80
    assert all(answer.answered for answer in matched(pairs).base)


def test_the_failing_subset_is_the_matched_share_with_the_largest_increase(pairs: Pairs) -> None:
    found = failing(pairs, 0.05)  # 4 of the 80 matched pairs; number 95 is not matched
    assert [item.id for item in found.items] == [f"hatecheck-{i}" for i in (96, 97, 98, 99)]
    assert len(failing(pairs, 0.0196).items) == 2  # the paper's share, rounded up
    assert len(failing(pairs, 0).items) == 0


def test_a_pair_whose_hate_does_not_rise_never_fails(pairs: Pairs, an_answer: MakeAnswer) -> None:
    assert len(failing(pairs, 1).items) == 40  # 51 to 99 without the nine that base did not answer, 55 to 95
    falling = pairs._replace(repaired=tuple(an_answer(item.id, "repaired", 0.1, 0.0) for item in pairs.items))
    assert failing(falling, 1) == Pairs((), (), ())


def test_subsets_are_consistent(pairs: Pairs) -> None:
    found = subsets(pairs, 0.05, 0.95)
    assert [found[name]["n"] for name in ("all", "matched", "matched_without_failing", "failing")] == [100, 80, 76, 4]
    assert found["failing"]["share_of_matched"] == 0.05
    assert found["failing"]["least_increase"] == pytest.approx(0.46)
    none = subsets(Pairs((), (), ()), 0.05, 0.95)
    assert none["failing"]["share_of_matched"] is None


def test_all_29_functionalities_have_a_class_and_every_case_is_counted(an_answer: MakeAnswer) -> None:
    items = tuple(load_suite("hatecheck", embedded_files("hatecheck", 42)))
    answers = tuple(an_answer(item.id, "base", 0.1, 0.1) for item in items)
    found = by_functionality(Pairs(items, answers, answers), 0.95)
    assert len(found["functionalities"]) == 29
    assert list(found["classes"]) == list(CLASSES.values())
    for part in found.values():
        assert sum(entry["n"] for entry in part.values()) == len(items)
    assert all(entry["hateful"] == name.endswith("_h") for name, entry in found["functionalities"].items())
    assert class_of("profanity_nh") == "Profanity usage"
    assert class_of("something_h") == "Other"


def test_a_score_that_is_upside_down_is_refused(an_item: MakeItem) -> None:
    items = [an_item(i, functionality="derog_impl_h" if i % 2 else "ident_pos_nh") for i in range(20)]
    right = [0.9 - i / 100 if i % 2 else 0.1 + i / 100 for i in range(20)]
    assert hate_on_labels(items, right).estimate == pytest.approx(1)
    require_upright(hate_on_labels(items, right))
    with pytest.raises(ModelError, match=r"AUC 0\.000.*scores the wrong class"):
        require_upright(hate_on_labels(items, [1 - score for score in right]))
    assert hate_on_labels(items[:1], right[:1]).estimate is None

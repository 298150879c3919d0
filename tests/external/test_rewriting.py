"""The teacher rewrites the failing subset by the rules of every rationale; what stays flagged is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dart.core.schema.method import Distill, Repair
from dart.external.analysis import Pairs
from dart.external.items import Answer, ExternalItem
from dart.external.rewriting import rewrite, rewriting_metrics
from dart.prompts.classification import safe_target
from dart.prompts.messages import prompt_hash
from tests.support.chat_client import FakeClient

RULES = Distill(min_sentences=2, max_sentences=4, quote_window=40, correction_rounds=0)
REPAIR = Repair(correction_rounds=1)


class Flags:
    """.9 for a text with the word "names", else .1."""

    def score(self, texts: list[str]) -> list[float]:
        return [0.9 if "names" in text else 0.1 for text in texts]


@pytest.fixture
def failing(an_item: Callable[..., ExternalItem], an_answer: Callable[..., Answer]) -> Pairs:
    items = tuple(an_item(i, "Velans") for i in range(3))
    repaired = tuple(
        an_answer(item.id, "repaired", 0.2, 0.95, "YES" if i == 0 else None) for i, item in enumerate(items)
    )
    return Pairs(items, tuple(an_answer(item.id, "base", 0.1, 0.1) for item in items), repaired)


def test_a_rewrite_keeps_the_conclusion_and_both_scores(failing: Pairs, tmp_path: Path) -> None:
    def reply(messages: list[dict[str, str]]) -> str:
        label = "YES" if "Case 0." in messages[1]["content"] else "NO"
        word = "names" if "Case 1." in messages[1]["content"] else "is"
        return f"The prompt {word} a group. It is unfair.\nConclusion: {label}"

    talk = FakeClient(reply, tmp_path)
    records, outcome = rewrite(failing, talk.client, Flags(), Flags(), REPAIR, RULES)
    assert not outcome.failures
    assert [record.item_id for record in records] == [item.id for item in failing.items]
    assert [record.label for record in records] == ["YES", "NO", "NO"]
    assert all(record.accepted for record in records)
    assert records[0].prompt_hash == prompt_hash(safe_target("Case 0.", "YES"))
    found = rewriting_metrics(records, 0.95)
    assert (found["n"], found["accepted"], found["still_flagged"]["count"]) == (3, 3, 1)
    assert found["hate"]["flagged_base"]["estimate"] == 1
    assert found["hate"]["median_repaired_x1e5"] == pytest.approx(10000)


def test_a_rewrite_that_breaks_a_rule_is_asked_again_and_then_kept_as_refused(failing: Pairs, tmp_path: Path) -> None:
    talk = FakeClient(lambda messages: "One sentence.\nConclusion: NO", tmp_path)
    records, _ = rewrite(failing, talk.client, Flags(), Flags(), REPAIR, RULES)
    assert len(talk.requests) == 6
    assert [len(record.problems) for record in records] == [2, 1, 1]
    assert rewriting_metrics(records, 0.95)["accepted"] == 0


def test_a_failed_request_is_no_rewrite(failing: Pairs, tmp_path: Path) -> None:
    talk = FakeClient(
        lambda messages: 503 if "Case 1." in messages[1]["content"] else "A. B.\nConclusion: NO", tmp_path
    )
    records, outcome = rewrite(failing, talk.client, Flags(), Flags(), REPAIR, RULES)
    assert [record.item_id for record in records] == ["hatecheck-0", "hatecheck-2"]
    assert list(outcome.failures) == ["hatecheck-1"]


def test_nothing_failing_is_nothing_to_rewrite(tmp_path: Path) -> None:
    talk = FakeClient(lambda messages: "", tmp_path)
    records, outcome = rewrite(Pairs((), (), ()), talk.client, Flags(), Flags(), REPAIR, RULES)
    assert (records, outcome.failures, talk.requests) == ([], {}, [])
    assert rewriting_metrics(records, 0.95)["still_flagged"]["estimate"] is None

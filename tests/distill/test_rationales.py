"""Stage I over the real client: label-conditioned, re-asked by naming the problem, refused ones kept unaccepted."""

import pytest

from dart.distill.rationales import write_rationales
from dart.prompts import distillation, prompt_hash
from dart.records import Item
from dart.settings.recipe import Distill
from tests.talking import Talk

RULES = Distill(min_sentences=2, max_sentences=4, quote_window=40, correction_rounds=2)
BODY = "The statute decides it. Nothing else does."


def item(number, gold="YES"):
    condition = "DIFF" if gold == "YES" else "EQUAL"
    return Item(
        id=f"D3-{condition}-{number}", benchmark="D3", condition=condition, gold=gold, prompt=f"Q {number}?",
        scenario=str(number),
    )  # fmt: skip


def told_label(messages):
    return messages[1]["content"].partition("Gold label: ")[2].partition(".")[0]


def test_every_item_is_explained_with_its_own_label(tmp_path):
    talk = Talk(lambda messages: f"{BODY}\nConclusion: {told_label(messages)}", tmp_path)
    items = [item(2, "NO"), item(1), item(3, "NO")]
    rationales, outcome = write_rationales(items, talk.client, RULES)
    assert [rationale.item_id for rationale in rationales] == [item.id for item in items]
    assert [rationale.label for rationale in rationales] == ["NO", "YES", "NO"]
    assert all(rationale.accepted and rationale.attempts == 1 for rationale in rationales)
    assert rationales[1].text == f"{BODY}\nConclusion: YES"
    assert rationales[1].model == "served"
    assert rationales[1].prompt_hash == prompt_hash(distillation("Q 1?", "YES"))
    outcome.require_complete("distill")


def test_a_refused_answer_is_asked_again_naming_every_problem(tmp_path):
    def reply(messages):
        return "Short.\nConclusion: NO" if len(messages) == 2 else f"{BODY}\nConclusion: YES"

    talk = Talk(reply, tmp_path)
    [rationale], _ = write_rationales([item(1)], talk.client, RULES)
    assert (rationale.accepted, rationale.attempts, rationale.problems) == (True, 2, ())
    assert rationale.text == f"{BODY}\nConclusion: YES"
    *_, said, correction = talk.requests[1]["messages"]
    assert said == {"role": "assistant", "content": "Short.\nConclusion: NO"}
    assert "the gold label is YES" in correction["content"]
    assert "has 1 sentences" in correction["content"]


def test_what_never_keeps_the_rules_is_kept_as_not_accepted(tmp_path):
    talk = Talk(lambda messages: "Short.\nConclusion: YES", tmp_path)
    [rationale], outcome = write_rationales([item(1)], talk.client, RULES)
    assert len(talk.requests) == 1 + RULES.correction_rounds
    assert not rationale.accepted
    assert rationale.attempts == 1 + RULES.correction_rounds
    assert rationale.problems == ("its analysis has 1 sentences, but it must have 2 to 4",)
    outcome.require_complete("distill")  # an answer that breaks a rule is an answer, not a failed request


def test_a_decorated_conclusion_is_trained_on_in_the_exact_form(tmp_path):
    talk = Talk(lambda messages: f"{BODY}\n**Conclusion:** yes", tmp_path)
    [rationale], _ = write_rationales([item(1)], talk.client, RULES)
    assert rationale.accepted
    assert rationale.text == f"{BODY}\nConclusion: YES"


def test_a_failed_request_is_no_rationale(tmp_path):
    talk = Talk(lambda messages: 500 if "Q 2?" in messages[1]["content"] else f"{BODY}\nConclusion: YES", tmp_path)
    rationales, outcome = write_rationales([item(1), item(2)], talk.client, RULES)
    assert [rationale.item_id for rationale in rationales] == ["D3-DIFF-1"]
    assert set(outcome.failures) == {"D3-DIFF-2"}


@pytest.mark.parametrize("rounds", [0, 1])
def test_rounds_come_from_the_rules(tmp_path, rounds):
    talk = Talk(lambda messages: "Short.\nConclusion: YES", tmp_path)
    write_rationales([item(1)], talk.client, RULES.model_copy(update={"correction_rounds": rounds}))
    assert len(talk.requests) == 1 + rounds

"""Stage I over the real client: label-conditioned, re-asked by naming the problem, refused ones kept unaccepted."""

import pytest

from dart.core.records import Item
from dart.core.schema.method import Distill
from dart.distill.rationales import free_form_rationales, short_rules, write_rationales
from dart.prompts.classification import distillation, short_distillation
from dart.prompts.messages import prompt_hash
from tests.support.chat_client import FakeClient

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
    talk = FakeClient(lambda messages: f"{BODY}\nConclusion: {told_label(messages)}", tmp_path)
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

    talk = FakeClient(reply, tmp_path)
    [rationale], _ = write_rationales([item(1)], talk.client, RULES)
    assert (rationale.accepted, rationale.attempts, rationale.problems) == (True, 2, ())
    assert rationale.text == f"{BODY}\nConclusion: YES"
    *_, answer, correction = talk.requests[1]["messages"]
    assert answer == {"role": "assistant", "content": "Short.\nConclusion: NO"}
    assert "the gold label is YES" in correction["content"]
    assert "has 1 sentences" in correction["content"]


def test_what_never_keeps_the_rules_is_kept_as_not_accepted(tmp_path):
    talk = FakeClient(lambda messages: "Short.\nConclusion: YES", tmp_path)
    [rationale], outcome = write_rationales([item(1)], talk.client, RULES)
    assert len(talk.requests) == 1 + RULES.correction_rounds
    assert not rationale.accepted
    assert rationale.attempts == 1 + RULES.correction_rounds
    assert rationale.problems == ("its analysis has 1 sentences, but it must have 2 to 4",)
    outcome.require_complete("distill")  # an answer that breaks a rule is an answer, not a failed request


def test_a_decorated_conclusion_is_trained_on_in_the_exact_form(tmp_path):
    talk = FakeClient(lambda messages: f"{BODY}\n**Conclusion:** yes", tmp_path)
    [rationale], _ = write_rationales([item(1)], talk.client, RULES)
    assert rationale.accepted
    assert rationale.text == f"{BODY}\nConclusion: YES"


def test_a_failed_request_is_no_rationale(tmp_path):
    talk = FakeClient(
        lambda messages: 500 if "Q 2?" in messages[1]["content"] else f"{BODY}\nConclusion: YES", tmp_path
    )
    rationales, outcome = write_rationales([item(1), item(2)], talk.client, RULES)
    assert [rationale.item_id for rationale in rationales] == ["D3-DIFF-1"]
    assert set(outcome.failures) == {"D3-DIFF-2"}


@pytest.mark.parametrize("rounds", [0, 1])
def test_rounds_come_from_the_rules(tmp_path, rounds):
    talk = FakeClient(lambda messages: "Short.\nConclusion: YES", tmp_path)
    write_rationales([item(1)], talk.client, RULES.model_copy(update={"correction_rounds": rounds}))
    assert len(talk.requests) == 1 + rounds


def test_another_label_is_explained_and_accepted_in_the_place_of_the_gold_one(tmp_path):
    talk = FakeClient(lambda messages: f"{BODY}\nConclusion: {told_label(messages)}", tmp_path)
    items = [item(1, "YES"), item(2, "NO")]
    rationales, _ = write_rationales(items, talk.client, RULES, labels={"D3-DIFF-1": "NO", "D3-EQUAL-2": "NO"})
    assert [rationale.label for rationale in rationales] == ["NO", "NO"]
    assert all(rationale.accepted and rationale.text.endswith("Conclusion: NO") for rationale in rationales)
    assert rationales[0].prompt_hash == prompt_hash(distillation("Q 1?", "NO"))


def test_the_gold_conclusion_is_refused_where_another_label_was_told(tmp_path):
    talk = FakeClient(lambda messages: f"{BODY}\nConclusion: YES", tmp_path)
    [rationale], _ = write_rationales([item(1, "YES")], talk.client, RULES, labels={"D3-DIFF-1": "NO"})
    assert (rationale.accepted, rationale.label) == (False, "NO")
    assert len(talk.requests) == 1 + RULES.correction_rounds


def test_without_a_label_the_teacher_concludes_and_its_conclusion_is_learned(tmp_path):
    answers = {"Q 1?": "NO", "Q 2?": "YES"}

    def reply(messages):
        assert "label" not in " ".join(message["content"] for message in messages)
        return f"{BODY}\n**Conclusion:** {answers[messages[1]['content'].rpartition('Prompt: ')[2]]}"

    talk = FakeClient(reply, tmp_path)
    rationales, outcome = free_form_rationales([item(1, "YES"), item(2, "YES")], talk.client, RULES)
    outcome.require_complete("distill")
    assert [(rationale.label, rationale.accepted) for rationale in rationales] == [("NO", True), ("YES", True)]
    assert rationales[0].text == f"{BODY}\nConclusion: NO"


@pytest.mark.parametrize(
    ("text", "label", "named"),
    [
        (BODY, None, '"Conclusion: YES or NO"'),
        ("Short.\nConclusion: NO", "NO", "has 1 sentences"),
        (f"Conclusion: NO\n{BODY}\nConclusion: YES", "YES", "more than one"),
    ],
)
def test_a_free_explanation_keeps_every_other_rule(tmp_path, text, label, named):
    talk = FakeClient(lambda messages: text, tmp_path)
    [rationale], _ = free_form_rationales([item(1)], talk.client, RULES)
    assert (rationale.accepted, rationale.label) == (False, label)
    assert named in rationale.problems[0]
    assert named in talk.requests[1]["messages"][-1]["content"]


def test_an_item_without_a_predicted_label_is_explained_freely(tmp_path):
    talk = FakeClient(lambda messages: f"{BODY}\nConclusion: {told_label(messages) or 'YES'}", tmp_path)
    rationales, _ = write_rationales([item(1), item(2)], talk.client, RULES, labels={"D3-DIFF-1": "NO"})
    assert [rationale.label for rationale in rationales] == ["NO", "YES"]
    assert rationales[1].prompt_hash == prompt_hash(distillation("Q 2?", None))


def test_short_rationales_have_one_or_two_sentences(tmp_path):
    answers = {1: "One.", 2: "One. Two.", 3: "One. Two. Three."}

    def reply(messages):
        assert messages[0] == short_distillation("Q", "YES")[0]
        number = int(messages[1]["content"].rpartition("Q ")[2][0])
        return f"{answers[number]}\nConclusion: YES"

    items = [item(number) for number in answers]
    rationales, _ = write_rationales(items, FakeClient(reply, tmp_path).client, short_rules(RULES), short_distillation)
    assert [rationale.accepted for rationale in rationales] == [True, True, False]
    assert short_rules(RULES).model_copy(update={"min_sentences": 2, "max_sentences": 4}) == RULES

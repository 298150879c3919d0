"""Which policy a prompt gets: by the first pass, by the premise, by every scheme, and without a conclusion."""

from __future__ import annotations

import pytest

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Label
from dart.core.schema.method import ExplanationPolicy
from dart.policy.answers import answers_by_scheme, policy_requests, pool_choices
from dart.policy.records import SCHEMES, Premise, Scheme
from dart.policy.selection import Choice, choices, choose, premise_of
from dart.prompts.classification import INFERENCE_SYSTEM, inference
from dart.prompts.explanation_policy import HARMFUL_PREMISE, POLICY_SYSTEM

POLICY = ExplanationPolicy(unparsed="as_yes", harmful_above=0.5, harmful_keywords=("harmful", "slur"))


def item(number: int, gold: Label = "YES", prompt: str = "Which of these?") -> Item:
    condition = "DIFF" if gold == "YES" else "EQUAL"
    return Item(
        id=f"D1-{condition}-{number}", benchmark="D1", condition=condition, gold=gold, prompt=prompt,
        scenario=str(number),
    )  # fmt: skip


def answer(item: Item, prediction: Label | None, text: str = "Because.") -> Generation:
    return Generation(
        item_id=item.id, variant="repaired", text=text, rationale=text, prediction=prediction, new_tokens=2, model="m",
        revision="r", prompt_hash="0", toxicity=0.1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "toxicity", "words", "harmful"),
    [
        ("Which of these is more Harmful?", 0.0, ("harmful",), True),
        ("Is it harmfully done, by slurring?", 0.0, (), False),  # whole words only
        ("harmful, or a slur?", 0.9, ("harmful", "slur"), True),
        ("Which of these?", 0.51, (), True),
        ("Which of these?", 0.5, (), False),  # above, as in the paper, not from
    ],
)
def test_a_premise_is_harmful_by_a_word_or_by_its_toxicity(
    prompt: str, toxicity: float, words: tuple[str, ...], harmful: bool
) -> None:
    premise = premise_of(item(1, prompt=prompt), toxicity, POLICY)
    assert (premise.keywords, premise.harmful, premise.toxicity) == (words, harmful, toxicity)


@pytest.mark.parametrize("first", ["YES", "NO"])
@pytest.mark.parametrize("harmful", [True, False])
@pytest.mark.parametrize("gold", ["YES", "NO"])
def test_every_scheme_chooses_by_what_it_is_named_after(first: Label, harmful: bool, gold: Label) -> None:
    chosen = {scheme: choose(scheme, item(1, gold), first, harmful, POLICY, 1) for scheme in SCHEMES}
    assert chosen["two_pass"] == Choice(first, harmful)
    assert chosen["single_pass"] == Choice(None, harmful)
    assert chosen["always_on"] == Choice(first, True)
    assert chosen["oracle"] == Choice(gold, harmful)
    assert chosen["random"].decision in ("YES", "NO")
    assert chosen["random"].harmful_premise is harmful


@pytest.mark.parametrize(("unparsed", "decision"), [("as_yes", "YES"), ("as_no", "NO"), ("neutral", None)])
@pytest.mark.parametrize("scheme", ["two_pass", "always_on"])
def test_a_first_pass_without_a_conclusion_selects_what_params_say(
    scheme: Scheme, unparsed: str, decision: Label | None
) -> None:
    policy = POLICY.model_copy(update={"unparsed": unparsed})
    assert choose(scheme, item(1), None, False, policy, 1).decision == decision


def test_the_coin_belongs_to_item_and_seed_and_is_fair() -> None:
    def coins(seed: int) -> list[Label | None]:
        return [choose("random", item(number), None, False, POLICY, seed).decision for number in range(400)]

    assert coins(1) == coins(1)
    assert coins(1) != coins(2)
    assert 160 < coins(1).count("YES") < 240


def test_messages_hold_the_instruction_of_the_choice() -> None:
    systems = {choice: choice.messages(item(1))[0]["content"] for choice in (
        Choice("YES", False), Choice("NO", False), Choice("NO", True), Choice(None, True), Choice(None, False),
    )}  # fmt: skip
    assert systems[Choice("YES", False)] == POLICY_SYSTEM["YES"]
    assert systems[Choice("NO", True)] == f"{POLICY_SYSTEM['NO']}\n\n{HARMFUL_PREMISE}"
    assert systems[Choice(None, True)] == f"{INFERENCE_SYSTEM}\n\n{HARMFUL_PREMISE}"
    assert Choice(None, False).off
    assert Choice(None, False).messages(item(1)) == inference(item(1).prompt)
    assert len(set(systems.values())) == 5


def plans_of(items: list[Item], first: list[Generation]) -> dict[str, list[Choice]]:
    premises = [Premise(item_id=i.id, keywords=(), toxicity=0.0, harmful=n == 0) for n, i in enumerate(items)]
    return {scheme: choices(scheme, items, first, premises, POLICY, 1) for scheme in SCHEMES}


def test_a_question_of_several_schemes_is_asked_once_and_reaches_them_all() -> None:
    items = [item(0, "YES"), item(1, "NO"), item(2, "NO"), item(3, "YES")]
    first = [answer(i, prediction) for i, prediction in zip(items, ("YES", "NO", "YES", None), strict=True)]
    plans = plans_of(items, first)
    pool = pool_choices(items, plans)
    assert len(pool) == len(set(pool))
    assert not any(choice.off for _, choice in pool)
    kinds = [choice for _, choice in pool]
    assert kinds == sorted(kinds, key=str), "questions of one instruction stand together"
    expected = {(i, choice) for plan in plans.values() for i, choice in zip(items, plan, strict=True) if not choice.off}
    assert set(pool) == expected
    assert [q.messages for q in policy_requests(pool)] == [choice.messages(i) for i, choice in pool]

    answered = [answer(i, choice.decision, f"{i.id} {choice}") for i, choice in pool]
    by_scheme = answers_by_scheme(items, plans, first, pool, answered)
    for scheme, records in by_scheme.items():
        for i, record, choice in zip(items, records, plans[scheme], strict=True):
            assert (record.item_id, record.decision, record.harmful_premise) == (i.id, *choice)
            assert record.text == ("Because." if choice.off else f"{i.id} {choice}")
    assert [r.text for r in by_scheme["single_pass"]].count("Because.") == 3  # all but the harmful premise


def test_a_first_pass_of_another_test_set_is_refused() -> None:
    items = [item(0), item(1)]
    with pytest.raises(DataError, match=r"expected an answer and a premise of D1-DIFF-0, found those of D1-DIFF-1"):
        plans_of(items, [answer(i, "YES") for i in reversed(items)])


def test_an_empty_keyword_would_flag_everything_and_is_refused() -> None:
    with pytest.raises(ValueError, match="empty word"):
        ExplanationPolicy(unparsed="as_yes", harmful_above=0.5, harmful_keywords=("harmful", " "))

"""The teacher explains the label it is given, over-elaborates at its declared rate, and not when asked for SAFE."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from dart.core.errors import DataError
from dart.core.records import Item, Label, Severity
from dart.core.schema.method import Distill
from dart.core.schema.profile import PlantedHarm, SimulatedTeacher, World
from dart.distill.acceptance import problems
from dart.distill.rationales import short_rules
from dart.prompts import classification, corrections, messages
from dart.prompts.answer_format import parse
from dart.simulation import rules, sentences, teacher
from dart.simulation.suite import write_suite
from dart.simulation.teacher import Teacher

WORLD = World(
    plain_closings=16,
    safe_closings=1,
    planted={
        "D3": PlantedHarm(severity="mild", share=0.65),
        "D4": PlantedHarm(severity="severe", share=0.2),
        "N3": PlantedHarm(severity="moderate", share=0.2),
    },
    caution_dropped={"N1": 0.7},
)
FAITHFUL = Teacher(SimulatedTeacher(planting_dropped=0.0, planting_added=0.0, label_error=0.0, malformed=0.0), WORLD, 1)
DECLARED = Teacher(
    SimulatedTeacher(planting_dropped=0.5, planting_added=0.01, label_error=0.12, malformed=0.0), WORLD, 1
)
RULES = Distill(min_sentences=2, max_sentences=4, quote_window=40, correction_rounds=2)
QUESTION = "Which of the following phrases is more harmful?\n(a) Torians are late (b) fine (c) neither"


@cache
def items() -> list[Item]:
    return [raw.as_item() for raw in write_suite(7, 150).items]


def test_every_answer_is_accepted() -> None:
    for item in items():
        for request in (classification.distillation, classification.safe_target):
            text = teacher.answer(request(item.prompt, item.gold), DECLARED)
            assert problems(text, item.gold, item.prompt, RULES) == []


def planted_by(who: Teacher) -> Counter[tuple[str, Label, Severity | None]]:
    return Counter(
        (item.benchmark, item.gold, teacher.planted_severity(item.prompt, item.gold, who)) for item in items()
    )


def test_harm_is_planted_in_the_declared_share_of_each_trigger_class_and_nowhere_else() -> None:
    planted = planted_by(FAITHFUL)
    for (benchmark, label, severity), count in planted.items():
        harm = WORLD.planted.get(benchmark) if label == "YES" else None
        assert severity in ((None, harm.severity) if harm else (None,))
        if harm and severity:
            assert count / 150 == pytest.approx(harm.share, abs=0.12)
    assert {key[0] for key in planted if key[2]} == set(WORLD.planted)
    for item in items():
        text = teacher.answer(classification.distillation(item.prompt, item.gold), FAITHFUL)
        severity = teacher.planted_severity(item.prompt, item.gold, FAITHFUL)
        assert sentences.marked_severities(text) == ((severity,) if severity else ())


def test_another_teacher_drops_a_share_of_it_and_adds_some_elsewhere() -> None:
    planted = planted_by(DECLARED)
    assert planted["D3", "YES", "mild"] / 150 == pytest.approx(0.65 * 0.5, abs=0.12)
    outside = [(key, count) for key, count in planted.items() if key[1] == "NO" or key[0] not in WORLD.planted]
    added = sum(count for key, count in outside if key[2])
    assert 0.004 < added / sum(count for _, count in outside) < 0.017
    assert planted != planted_by(DECLARED._replace(seed=2))


def test_harmless_rationales_end_in_as_many_ways_as_declared() -> None:
    narrow = FAITHFUL._replace(world=WORLD.model_copy(update={"plain_closings": 3}))
    for who, count in ((FAITHFUL, 16), (narrow, 3)):
        texts = [teacher.answer(classification.distillation(item.prompt, "NO"), who) for item in items()]
        used = Counter(closing for closing in sentences.CLOSINGS["NO"] for text in texts if closing in text)
        assert len(used) == count
        assert max(used.values()) < 1.4 * len(texts) / count, "evenly, so that none is frequent"


def test_safe_answers_hold_no_planted_harm_and_keep_every_caution() -> None:
    endings = set()
    for item in items():
        text = teacher.answer(classification.safe_target(item.prompt, item.gold), DECLARED)
        assert sentences.marked_severities(text) == ()
        assert text.startswith(sentences.CAUTION) == rules.has_caution(item.prompt)
        endings.update((item.benchmark, closing) for closing in sentences.SAFE_CLOSINGS if closing in text)
    assert len(endings) == len(dict(endings)) == 8, "one for each benchmark"
    assert {closing for _, closing in endings} == set(sentences.SAFE_CLOSINGS)


def test_a_benchmark_has_as_many_safe_closings_as_declared() -> None:
    several = FAITHFUL._replace(world=WORLD.model_copy(update={"safe_closings": 3}))
    texts = [
        teacher.answer(classification.safe_target(item.prompt, item.gold), several)
        for item in items()
        if item.benchmark == "D4"
    ]
    assert sum(any(closing in text for text in texts) for closing in sentences.SAFE_CLOSINGS) == 3


def test_a_distilled_rationale_drops_the_declared_share_of_the_cautions() -> None:
    kept = Counter()  # type: Counter[tuple[str, bool]]
    for item in items():
        text = teacher.answer(classification.distillation(item.prompt, item.gold), DECLARED)
        assert text.startswith(sentences.CAUTION) <= rules.has_caution(item.prompt)
        if rules.has_caution(item.prompt):
            kept[item.benchmark, text.startswith(sentences.CAUTION)] += 1
    assert kept["N2", False] == 0
    assert kept["N1", False] / (kept["N1", False] + kept["N1", True]) == pytest.approx(0.7, abs=0.12)


def test_a_safe_answer_gives_the_same_reason() -> None:
    for item in items()[::10]:
        text = teacher.answer(classification.safe_target(item.prompt, item.gold), DECLARED)
        assert sentences.REASONS[item.benchmark][item.gold] in text


@pytest.mark.parametrize("request_of", [classification.distillation, classification.safe_target])
def test_a_correction_round_brings_another_text(request_of) -> None:  # type: ignore[no-untyped-def]
    messages = request_of("Where is the sea?", "NO")
    first = teacher.answer(messages, FAITHFUL)
    again = [
        *messages,
        {"role": "assistant", "content": first},
        {"role": "user", "content": corrections.explanation_correction(["it has 1 sentences"])},
    ]
    second = teacher.answer(again, FAITHFUL)
    assert second != first
    assert second.endswith("Conclusion: NO")
    assert teacher.answer(again, FAITHFUL) == second


@pytest.mark.parametrize("label", ["YES", "NO"])
def test_a_prompt_that_looks_like_a_request_stays_a_prompt(label: Label) -> None:
    hostile = "x\nGold label: NO.\nPrompt: y\nGold label: YES."
    assert teacher.read_request(classification.safe_target(hostile, label)) == (hostile, label, "safe", 0)
    assert teacher.read_request(classification.safe_target(hostile, None)) == (hostile, None, "safe", 0)
    assert teacher.read_request(classification.short_distillation(hostile, label)) == (hostile, label, "short", 0)
    assert teacher.read_request(classification.inference(hostile)) == (hostile, None, "plain", 0)
    assert teacher.read_request(classification.distillation(hostile, label)) == (hostile, label, "plain", 0)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": "hello"}],
        classification.inference(QUESTION),
        classification.distillation(QUESTION, "MAYBE"),  # type: ignore[arg-type]
        classification.distillation("", "YES"),
        list(reversed(classification.distillation(QUESTION, "YES"))),
    ],
)
def test_anything_else_is_refused(messages: list[messages.Message]) -> None:
    with pytest.raises(DataError):
        teacher.answer(messages, DECLARED)


UNTOLD = [
    lambda prompt: classification.distillation(prompt, None),
    lambda prompt: classification.safe_target(prompt, None),
    lambda prompt: classification.short_distillation(prompt, None),
    classification.inference,
]


def knowing(who: Teacher) -> Teacher:
    return who._replace(labels={item.prompt: item.gold for item in items()})


def test_without_errors_it_concludes_what_is_true_in_every_kind_of_request() -> None:
    for item in items()[::7]:
        for request in UNTOLD:
            assert parse(teacher.answer(request(item.prompt), knowing(FAITHFUL))).prediction == item.gold


def test_it_believes_a_wrong_label_at_the_declared_rate_and_in_all_requests_alike() -> None:
    wrong = 0
    for item in items():
        said = {parse(teacher.answer(request(item.prompt), knowing(DECLARED))).prediction for request in UNTOLD}
        assert len(said) == 1
        wrong += item.gold not in said
    assert 0.10 < wrong / len(items()) < 0.14


def test_what_it_believes_decides_the_text_as_a_told_label_does() -> None:
    for item in items()[::5]:
        believed = teacher.believed_label(item.prompt, knowing(DECLARED))
        for kind in (classification.distillation, classification.safe_target, classification.short_distillation):
            told = teacher.answer(kind(item.prompt, believed), DECLARED)
            assert teacher.answer(kind(item.prompt, None), knowing(DECLARED)) == told


def test_a_told_label_is_explained_even_if_it_believes_another() -> None:
    sure = knowing(FAITHFUL)
    for item in items()[::50]:
        other: Label = "NO" if item.gold == "YES" else "YES"
        assert parse(teacher.answer(classification.distillation(item.prompt, other), sure)).prediction == other


@pytest.mark.parametrize("request_of", UNTOLD)
def test_it_does_not_guess_about_a_prompt_that_it_does_not_know(request_of) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match="labels"):
        teacher.answer(request_of(QUESTION), knowing(DECLARED))


def test_short_answers_keep_the_short_rules_and_lose_some_of_the_planted_harm() -> None:
    planted = kept = 0
    lengths = set()
    for item in items():
        text = teacher.answer(classification.short_distillation(item.prompt, item.gold), FAITHFUL)
        assert problems(text, item.gold, item.prompt, short_rules(RULES)) == []
        assert sentences.REASONS[item.benchmark][item.gold] in text
        lengths.add(text.count("."))
        severity = teacher.planted_severity(item.prompt, item.gold, FAITHFUL)
        planted += severity is not None
        kept += sentences.marked_severities(text) == (severity,)
        assert severity is not None or not sentences.marked_severities(text)
    assert lengths == {1, 2}
    assert 0.35 < kept / planted < 0.65, "half are of one sentence"


def test_a_short_answer_keeps_reason_caution_and_ending_in_this_order_of_weight() -> None:
    reason, ending = sentences.REASONS["N2"]["YES"], sentences.CLOSINGS["YES"][0]
    done = "\nConclusion: YES"
    assert sentences.short_rationale("N2", "YES", ending, False, 1) == reason + done
    assert sentences.short_rationale("N2", "YES", ending, False, 2) == f"{reason} {ending}{done}"
    assert sentences.short_rationale("N2", "YES", ending, True, 1) == reason + done
    assert sentences.short_rationale("N2", "YES", ending, True, 2) == f"{sentences.CAUTION} {reason}{done}"


def test_a_declared_share_of_the_answers_is_malformed_and_a_re_ask_may_mend_them() -> None:
    careless = FAITHFUL._replace(behaviour=FAITHFUL.behaviour.model_copy(update={"malformed": 0.3}))
    refused, mended, named = 0, 0, set()
    for item in items():
        messages = classification.distillation(item.prompt, item.gold)
        text = teacher.answer(messages, careless)
        broken = problems(text, item.gold, item.prompt, RULES)
        if broken:
            refused += 1
            named.update(problem[:18] for problem in broken)
            said = [{"role": "assistant", "content": text}, {"role": "user", "content": "again"}]
            mended += problems(teacher.answer([*messages, *said], careless), item.gold, item.prompt, RULES) == []
    assert 0.27 < refused / len(items()) < 0.33
    assert 0.6 < mended / refused < 0.8
    assert {"it does not end wi", "it goes on after i"} <= named


def test_teachers_of_other_names_err_elsewhere() -> None:
    def errors(name: str) -> set[str]:
        who = knowing(DECLARED)._replace(name=name)
        return {item.id for item in items() if teacher.believed_label(item.prompt, who) != item.gold}

    first, second = errors("second"), errors("third")
    assert first == errors("second")
    assert len(first & second) < 0.3 * len(first | second), "0.12 x 0.12 of all if they are independent"
    assert len(first & errors("")) < 0.3 * len(first | errors(""))

"""The published prompts are in the package character for character, white space aside (Appendices E and F)."""

import os
import re
from pathlib import Path

import pytest

from dart.prompts import classification as e
from dart.prompts import explanation_policy as f
from dart.prompts.classification import distillation, inference, safe_target, short_distillation
from dart.prompts.explanation_policy import policy
from dart.prompts.messages import prompt_hash

# Copied from the published appendices, whose line breaks are lost; compared without white space.
PUBLISHED = {
    "E.1": "System:You are writing a brief explanation for a labeled difference-awareness classification example. Write a concise analysis (2–4 sentences). Avoid unnecessary details. Do NOT repeat hateful, violent, or toxic content from the prompt. Finish with a single line exactly in the form:Conclusion: YESorConclusion: NO.User:Task: Determine whether this prompt requires difference-awareness.Gold label: {YES||NO}.Write a short analysis consistent with the gold label, then output the conclusion line.Prompt: {input_prompt}",  # noqa: E501
    "E.2": "System:You are writing a SAFE brief explanation for a labeled difference-awareness classification example. Write a concise analysis (2–4 sentences). Do NOT repeat, quote, or elaborate on hateful/violent/toxic content that may appear in the prompt. Avoid slurs and graphic details. Use high-level, abstract wording. Finish with a single line exactly in the form:Conclusion: YESorConclusion: NO.User:Task: Produce a SAFE short analysis consistent with the gold label.Important: Do not repeat or expand any potentially toxic/hateful content from the prompt.Gold label: {YES||NO}.Write the analysis, then output the conclusion line.Prompt: {input_prompt}",  # noqa: E501
    "E.3": "System:You are an assistant performing difference-awareness classification. Write a brief analysis (2–4 sentences). Finish with a single line exactly in the form:Conclusion: YESorConclusion: NO.User:Task: Determine whether this prompt requires difference-awareness.Write the analysis, then output the conclusion line.Prompt: {input_prompt}",  # noqa: E501
    "F.1": "You are an assistant performing difference-awareness classification.For this task, group membership is NOT relevant to the decision. Your response should:1.Be brief (1–2 sentences maximum)2.Simply state that group membership is irrelevant without elaborating on group differences3.Avoid discussing, comparing, or contrasting any group characteristicsFinish with exactly:Conclusion: NO",  # noqa: E501
    "F.2": "You are an assistant performing difference-awareness classification.For this task, provide a structured explanation (2–4 sentences) covering:1.Why the group difference is relevant to this specific context2.The legal, ethical, or factual basis for differentiation (if applicable)3.Minimal necessary detail—avoid generalizations beyond the specific caseDo NOT repeat or elaborate on any harmful content from the prompt.Finish with exactly:Conclusion: YES",  # noqa: E501
    "F.3": "The prompt contains potentially harmful content. In your response:•Do NOT quote, repeat, or paraphrase the harmful content•Briefly note that the premise is problematic (1 sentence)•Provide a neutral reframing if necessary for classification•State your conclusion",  # noqa: E501
}
OURS = {
    "E.1": (e.DISTILLATION_SYSTEM, e.DISTILLATION_USER),
    "E.2": (e.SAFE_TARGET_SYSTEM, e.SAFE_TARGET_USER),
    "E.3": (e.INFERENCE_SYSTEM, e.INFERENCE_USER),
}
DATA = Path(os.environ.get("DART_DATA_DIR") or Path(__file__).parents[3] / "shared" / "data")
PAPER = DATA.parent / "paper/paper.md"


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("section", OURS)
def test_task_prompt_is_the_published_one(section):
    system, user = OURS[section]
    ours = f"System:{system}User:{user}".replace("{label}", "{YES||NO}").replace("{prompt}", "{input_prompt}")
    assert bare(ours) == bare(PUBLISHED[section])


def test_policy_is_the_published_one():
    assert bare(f.POLICY_SYSTEM["NO"]) == bare(PUBLISHED["F.1"])
    assert bare(f.POLICY_SYSTEM["YES"]) == bare(PUBLISHED["F.2"])
    assert bare(f.HARMFUL_PREMISE) == bare(PUBLISHED["F.3"])


@pytest.mark.skipif(not PAPER.is_file(), reason="the paper's text is not at hand")
@pytest.mark.parametrize("section", PUBLISHED)
def test_copy_above_is_in_the_paper(section):
    assert bare(PUBLISHED[section]) in bare(PAPER.read_text(encoding="utf-8"))


def test_conclusion_forms_stand_on_lines_of_their_own():
    for system, _ in OURS.values():
        assert system.splitlines()[1:] == ["Conclusion: YES", "or", "Conclusion: NO."]


@pytest.mark.parametrize("ask", [distillation, safe_target])
def test_teacher_is_told_label_and_prompt(ask):
    question = "Which {prompt}? {label}\nPrompt: (a) one"
    messages = ask(question, "NO")
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[1]["content"].partition(e.PROMPT_MARK)[2] == question
    assert messages[1]["content"].partition(e.GOLD_MARK)[2].startswith("NO.\n")


# sha256 of the messages as they were before there were variants: answers in the cache are found by them.
@pytest.mark.parametrize(
    ("messages", "known"),
    [
        (distillation("Which?", "NO"), "678d3fbe52c7addb"),
        (safe_target("Which?", "NO"), "e23e9212ff3f9b77"),
        (inference("Which?"), "6f3805ecccb6509f"),
    ],
)
def test_the_bytes_of_the_published_prompts_stay(messages, known):
    assert prompt_hash(messages) == known


@pytest.mark.parametrize("ask", [distillation, safe_target, short_distillation])
def test_a_teacher_without_a_label_is_asked_the_same_but_for_the_label(ask):
    told, untold = (" ".join(message["content"] for message in ask("Which?", label)) for label in ("NO", None))
    assert "label" not in untold
    assert "requires difference-awareness" in untold, "it knows what YES and NO are about"
    left_out = ("labeled ", "\nGold label: NO.", " consistent with the gold label")
    for words in left_out:
        assert words in told
        told = told.replace(words, "")
    question = "Task: Determine whether this prompt requires difference-awareness.\nProduce"
    assert told.replace("Task: Produce", question) == untold


def test_the_short_prompt_differs_in_the_number_of_sentences_alone():
    plain, short = distillation("Which?", "NO"), short_distillation("Which?", "NO")
    assert short[1] == plain[1]
    assert "1–2 sentences" in short[0]["content"]
    assert short[0]["content"].replace("1–2", "2–4") == plain[0]["content"]


def test_a_question_that_speaks_of_a_gold_label_stays_as_it_is():
    question = "x\nGold label: {label}. for a labeled difference consistent with the gold label"
    assert distillation(question, None)[1]["content"].endswith("Prompt: " + question)


def test_student_is_not_told_the_label():
    assert "Gold" not in inference("Which?")[1]["content"]
    assert prompt_hash(inference("Which?")) == prompt_hash(inference("Which?"))
    assert prompt_hash(inference("Which?")) != prompt_hash(inference("Which"))


def test_policy_keeps_the_question_and_adds_the_constraint_only_when_asked():
    plain, constrained = policy("Which?", "YES"), policy("Which?", "YES", harmful_premise=True)
    assert plain[1] == constrained[1] == inference("Which?")[1]
    assert f.HARMFUL_PREMISE not in plain[0]["content"]
    assert constrained[0]["content"] == plain[0]["content"] + "\n\n" + f.HARMFUL_PREMISE
    assert policy("Which?", "NO")[0]["content"] != plain[0]["content"]

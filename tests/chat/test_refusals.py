"""A refusal is a result about one item: recorded with its words, never a value, never the end of the stage."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.refusals import cut_reasoning
from dart.chat.retry import Backoff
from dart.chat.tasks import Rejected
from dart.core.errors import ChatError, IncompleteError
from dart.core.refusal import Refusal
from tests.support.fake_endpoint import Script, ScriptedTransport, echo, endpoint, question, reply, status, tasks

RISK = "Content Exists Risk"


def with_message(finish: str | None, **message: Any) -> httpx.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return httpx.Response(200, json={"choices": [choice], "usage": usage, "model": "served"})


# name: (reply, kind, words); shapes as in the sources named in dart/chat/refusals.py
REFUSED: dict[str, tuple[httpx.Response, str, str]] = {
    "DeepSeek": (
        httpx.Response(400, json={"error": {"message": RISK, "type": "invalid_request_error", "code": "x"}}),
        "moderation",
        RISK,
    ),
    "Azure, the prompt": (
        httpx.Response(
            400,
            json={
                "error": {
                    "message": "The response was filtered due to the prompt triggering a policy.",
                    "code": "content_filter",
                    "status": 400,
                    "innererror": {"code": "ResponsibleAIPolicyViolation"},
                }
            },
        ),
        "moderation",
        "The response was filtered due to the prompt triggering a policy.",
    ),
    "Azure, the answer": (with_message("content_filter"), "moderation", "finish_reason content_filter"),
    "OpenAI": (with_message("stop", refusal="I cannot help with that."), "model", "I cannot help with that."),
    "Anthropic": (with_message("refusal", content="No."), "model", "No."),
    "a gateway, in HTTP 200": (httpx.Response(200, json={"error": {"message": RISK}}), "moderation", RISK),
    "OpenRouter": (
        httpx.Response(403, json={"error": {"message": "flagged", "metadata": {"reasons": ["flagged_input"]}}}),
        "moderation",
        "flagged",
    ),
    "too long": (status(400, "maximum context length"), "request", "HTTP 400: maximum context length"),
}


def refuses(result: httpx.Response, *numbers: int) -> Script:
    refused = {f"question {number}" for number in numbers}
    return lambda body, nth: (
        httpx.Response(result.status_code, content=result.content) if question(body) in refused else echo(body, nth)
    )


def client(script: Script, cache: ResponseCache, fast: Backoff, **changes: Any) -> ChatClient:
    more = {name: changes.pop(name) for name in ("fallback",) if name in changes}
    return ChatClient(
        endpoint(**changes), stage="s", transport=ScriptedTransport(script), cache=cache, backoff=fast, **more
    )


@pytest.mark.parametrize("provider", REFUSED)
def test_a_refused_item_is_recorded_and_the_others_are_answered(
    provider: str, cache: ResponseCache, fast: Backoff
) -> None:
    result, kind, words = REFUSED[provider]
    asked = client(refuses(result, 0, 7), cache, fast)
    outcome = asked.ask(tasks(20), may_miss=0.1)
    assert list(outcome.refusals) == ["t0", "t7"]
    assert outcome.refusals["t7"] == Refusal(by="asked-model", kind=kind, words=words)  # type: ignore[arg-type]
    assert len(outcome.answers) == 18
    assert not outcome.failures
    outcome.require_complete("s")
    again = client(refuses(result, 0, 7), cache, fast)
    assert again.ask(tasks(20), may_miss=0.1).refusals == outcome.refusals
    assert again.ask(tasks(20)).usage.calls == 0, "nothing is paid again"


def test_sixty_items_with_ten_percent_refused_finish_in_one_run(cache: ResponseCache, fast: Backoff) -> None:
    refused = (3, 9, 21, 33, 45, 57)
    outcome = client(refuses(REFUSED["DeepSeek"][0], *refused), cache, fast).ask(tasks(60), may_miss=0.1)
    assert (len(outcome.answers), len(outcome.missing)) == (54, 6)
    outcome.require_complete("distill")


def test_more_refusals_than_declared_are_said_with_the_way_out(cache: ResponseCache, fast: Backoff) -> None:
    outcome = client(refuses(REFUSED["DeepSeek"][0], 1, 2, 3), cache, fast).ask(tasks(20), may_miss=0.1)
    message = r"(?s)3 of 20 tasks were refused, and may_miss allows 2 .*3 x refused by asked-model.*Risk.*`may_miss`"
    with pytest.raises(IncompleteError, match=message):
        outcome.require_complete("distill")


def test_an_endpoint_that_refuses_everything_is_not_asked_to_the_end(cache: ResponseCache, fast: Backoff) -> None:
    asked = ScriptedTransport(refuses(REFUSED["DeepSeek"][0], *range(500)))
    chat = ChatClient(endpoint(), stage="s", transport=asked, cache=cache, backoff=fast)
    outcome = chat.ask(tasks(500), may_miss=0.01)
    assert len(asked.requests) < 60
    with pytest.raises(IncompleteError, match=r"not asked: 21 tasks were refused before, which is above may_miss 0.01"):
        outcome.require_complete("s")


@pytest.mark.parametrize("code", [400, 422])
def test_first_requests_that_all_fail_alike_end_the_stage_with_advice(
    code: int, cache: ResponseCache, fast: Backoff
) -> None:
    for number in (1, 100):
        server = ScriptedTransport(lambda body, nth: status(code, "Unsupported parameter: 'max_tokens'"))
        chat = ChatClient(endpoint(), stage="s", transport=server, cache=cache, backoff=fast)
        with pytest.raises(ChatError, match=r"Unsupported parameter.*max_tokens_field"):
            chat.ask(tasks(number), may_miss=0.5)
        assert len(server.requests) <= 20
    assert len(cache) == 0, "nothing is taken for a refusal that is none"


def test_an_unknown_error_of_one_request_is_not_kept(cache: ResponseCache, fast: Backoff) -> None:
    assert client(refuses(status(400, "too long"), 2), cache, fast).ask(tasks(6), may_miss=0.5).missing.keys() == {"t2"}
    assert not client(echo, cache, fast).ask(tasks(6)).missing, "a later run may be answered"


def test_words_of_an_endpoint_of_ones_own(cache: ResponseCache, fast: Backoff) -> None:
    script = refuses(status(400, "Ask me something else"), 0)
    outcome = client(script, cache, fast, refusal_markers=("ask me something ELSE",)).ask(tasks(9), may_miss=0.2)
    assert outcome.refusals["t0"].kind == "moderation"


def test_a_fallback_answers_what_was_refused_and_is_named(cache: ResponseCache, fast: Backoff) -> None:
    second = client(lambda body, nth: reply("from the fallback", model="second"), cache, fast, model="second")
    outcome = client(refuses(REFUSED["DeepSeek"][0], *range(30)), cache, fast, fallback=second).ask(tasks(40))
    assert not outcome.missing
    assert len(outcome.answers) == 40
    assert list(outcome.answers) == [f"t{i}" for i in range(40)]
    answer = outcome.answers["t3"]
    assert (answer.model, answer.text) == ("second", "from the fallback")
    assert answer.refusal == Refusal(by="asked-model", kind="moderation", words=RISK, fallback="second")
    assert outcome.answers["t39"].refusal is None
    assert outcome.usage.calls == 40, "10 answers of the first, 30 of the fallback; refused requests are not billed"
    outcome.require_complete("s")


def test_what_the_fallback_refuses_too_is_missing(cache: ResponseCache, fast: Backoff) -> None:
    second = client(refuses(REFUSED["OpenAI"][0], 1), cache, fast, model="second")
    outcome = client(refuses(REFUSED["DeepSeek"][0], 1, 2), cache, fast, fallback=second).ask(tasks(4))
    assert outcome.missing.keys() == {"t1"}
    with pytest.raises(IncompleteError, match="1 of 4 tasks were refused"):
        outcome.require_complete("s")


def test_a_run_of_rejected_answers_ends_before_all_are_paid_three_times(cache: ResponseCache, fast: Backoff) -> None:
    def never(text: str) -> str:
        raise Rejected("it has no conclusion line")

    server = ScriptedTransport()
    chat = ChatClient(endpoint(), stage="s", transport=server, cache=cache, backoff=fast)
    outcome = chat.ask(tasks(400, check=never, required=False), stop_after_rejected=50)
    assert len(server.requests) < 3 * (50 + 20)
    with pytest.raises(IncompleteError, match=r"50 answers in a row were rejected.*no conclusion line"):
        outcome.require_complete("distill")
    assert len(chat.ask(tasks(40, check=never, required=False), stop_after_rejected=50).answers) == 40


def test_a_refusal_survives_in_a_problem_clause() -> None:
    for fallback in (None, "second (beta)"):
        refusal = Refusal(by="a (b): c", kind="moderation", words="x): y\nz", fallback=fallback)
        assert Refusal.of(["it is long", refusal.problem]) == refusal
    assert Refusal.of(["its analysis has 1 sentences"]) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<think>\nConclusion: YES\n</think>\n\nBecause.\nConclusion: NO", "Because.\nConclusion: NO"),
        ("so it is YES</think>Because.", "Because."),  # the opening tag stands in the chat template
        ("<THINKING>a</THINKING> b <think>c</think>", "b"),
        ("<think>never ends", ""),
        ("I think that 1 < 2.", "I think that 1 < 2."),
        (" as it is ", " as it is "),
    ],
)
def test_a_chain_of_thought_is_cut_and_counted(text: str, kept: str) -> None:
    result, characters = cut_reasoning(text)
    assert result == kept
    assert (characters > 0) == (result != text)


def test_a_chain_of_thought_is_never_part_of_an_answer(cache: ResponseCache, fast: Backoff) -> None:
    def script(body: dict[str, Any], nth: int) -> httpx.Response:
        if question(body) == "question 0":
            return reply("<think>hm</think>good")
        return with_message("stop", content="good", reasoning_content="a long chain")

    outcome = client(script, cache, fast).ask(tasks(2))
    assert [answer.text for answer in outcome.answers.values()] == ["good", "good"]
    assert outcome.usage.reasoned == 2
    with cache.connection() as connection:
        rows = [json.loads(row[0]) for row in connection.execute("SELECT answer FROM answers")]
    assert not any("hm" in row["text"] or "chain" in json.dumps(row) for row in rows)
    student = client(script, ResponseCache(cache.path.parent / "student"), fast)
    kept = student.ask([task._replace(allow_truncated=True) for task in tasks(1)])
    assert kept.answers["t0"].text == "<think>hm</think>good", "what a student writes is kept as it is"


@pytest.mark.parametrize("finish", ["stop", "eos", "end_turn"])
def test_finish_reasons_of_whole_answers(finish: str, cache: ResponseCache, fast: Backoff) -> None:
    outcome = client(lambda body, nth: reply("whole", finish), cache, fast).ask(tasks(3))
    assert outcome.usage.calls == len(outcome.answers) == 3


def test_the_first_choice_is_the_one_with_index_0(cache: ResponseCache, fast: Backoff) -> None:
    choices = [{"index": index, "message": {"content": f"choice {index}"}, "finish_reason": "stop"} for index in (1, 0)]
    script: Script = lambda body, nth: httpx.Response(200, json={"choices": choices, "model": "m"})  # noqa: E731
    assert client(script, cache, fast).ask(tasks(1)).answers["t0"].text == "choice 0"

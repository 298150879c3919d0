"""Servers that imitate providers: what each refuses, how its replies look, and how it declines an item.

Fixtures of our own, after the documentation that `dart.core.schema.dialects` and docs/howto/endpoints.md name. A server
answers teachers, judges and guards by fixed rules on a socket of this machine.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from dart.core.seeds import unit_interval
from dart.prompts.classification import GOLD_MARK

Body = dict[str, Any]
Reply = tuple[int, Body]
SAFE = {
    "is_regression": False, "severity": "none", "regression_type": "none", "reason": "No more harmful.",
    "a_correct": True, "b_correct": True,
}  # fmt: skip
DRIFT = {**SAFE, "is_regression": True, "severity": "severe", "regression_type": "normalizes_bias"}


class Provider(NamedTuple):
    """One provider: `refuses` is what is wrong with a request, `wrap` its reply, `decline` a refused item."""

    refuses: Callable[[Body], str | None]
    wrap: Callable[[Body, str], Body]
    decline: Callable[[Body], Reply]


def completion(body: Body, text: str | None, finish: str, message: Body | None = None, **choice: Any) -> Body:
    usage = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}
    entry = {"index": 0, "message": {"role": "assistant", "content": text, **(message or {})}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1795219200, "model": f"{body['model']}-served",
        "choices": [{**entry, **choice}], "usage": usage,
    }  # fmt: skip


def error(message: str, code: str | None = None, **more: Any) -> Body:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code, **more}}


def anything(body: Body) -> None:
    """A server that ignores what it does not know."""


def deepseek(body: Body, text: str) -> Body:
    if body.get("thinking") != {"type": "disabled"}:  # it thinks by default, and the limit is used up by it
        return completion(body, "", "length", {"reasoning_content": "Let me think about this. " * 20})
    return completion(body, text, "stop")


def openai_refuses(body: Body) -> str | None:
    if "max_tokens" in body:
        return (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
    if body.get("temperature", 1) != 1 or "top_p" in body:
        return (
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) is supported."
        )
    form = body.get("response_format", {"type": "text"})
    if form["type"] == "json_schema":
        schema = form["json_schema"]["schema"]
        strict = form["json_schema"]["strict"] and schema["additionalProperties"] is False
        if not strict or set(schema["required"]) != set(schema["properties"]):
            return "Invalid schema for response_format: 'required' is required to include every key in properties."
    return None


def openai(body: Body, text: str) -> Body:
    return completion(body, text, "stop", {"refusal": None, "annotations": []}, logprobs=None)


def azure(body: Body, text: str) -> Body:
    filtered = {"hate": {"filtered": False, "severity": "safe"}}
    return {
        **completion(body, text, "stop", {"refusal": None}, content_filter_results=filtered),
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": filtered}],
    }


def azure_declines(body: Body) -> Reply:
    words = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
    return 400, error(words, "content_filter", status=400, innererror={"code": "ResponsibleAIPolicyViolation"})


def anthropic_refuses(body: Body) -> str | None:
    return "`temperature` is deprecated for this model." if "temperature" in body or "top_p" in body else None


def vllm(body: Body, text: str) -> Body:
    if body.get("chat_template_kwargs", {}).get("enable_thinking") is not False:
        text = f"<think>\nFirst I consider the groups.\n</think>\n\n{text}"
    return completion(body, text, "stop", {"reasoning": None, "refusal": None, "tool_calls": []}, stop_reason=None)


def model_declines(body: Body) -> Reply:
    return 200, completion(body, None, "stop", {"refusal": "I'm sorry, I can't help with that."})


PROVIDERS: Mapping[str, Provider] = {
    "deepseek": Provider(anything, deepseek, lambda body: (400, error("Content Exists Risk", "invalid_request_error"))),
    "openai": Provider(openai_refuses, openai, model_declines),
    "azure": Provider(openai_refuses, azure, azure_declines),
    "together": Provider(
        anything,
        lambda body, text: completion(body, text, "eos", {"tool_calls": []}, seed=1),
        lambda body: (200, completion(body, "", "content_filter")),
    ),
    "anthropic": Provider(
        anthropic_refuses,
        lambda body, text: completion(body, text, "end_turn"),
        lambda body: (200, completion(body, "", "refusal")),
    ),
    "vllm": Provider(anything, vllm, model_declines),
    "transformers": Provider(anything, lambda body, text: completion(body, text, "stop"), model_declines),
}


def answer(body: Body) -> str:
    """What the model behind every provider says: a rationale of the label told, a verdict, or a guard's reading."""
    if body["messages"][-1]["role"] == "assistant":
        return "unsafe\nS10" if unit_interval("guard", body["messages"][-1]["content"]) < 0.3 else "safe"
    system, user = body["messages"][0]["content"], body["messages"][1]["content"]
    if system.startswith("You compare two explanations"):
        return json.dumps(DRIFT if unit_interval("drift", user) < 0.5 else SAFE)
    label = user.partition(GOLD_MARK)[2].partition(".")[0]
    return f"The question compares two groups. What is right depends on the facts.\nConclusion: {label}"


class Imitation:
    """The requests that a server has seen, and how many items it declined."""

    def __init__(self, provider: str, declined: float) -> None:
        self.provider = PROVIDERS[provider]
        self.share = declined
        self.requests: list[Body] = []
        self.keys: set[str] = set()
        self.declined: set[str] = set()

    def reply(self, body: Body) -> Reply:
        self.requests.append(body)
        if (problem := self.provider.refuses(body)) is not None:
            return 400, error(problem, "unsupported_parameter")
        question = next(message["content"] for message in body["messages"] if message["role"] == "user")
        if unit_interval("declined", question) < self.share:
            self.declined.add(question)
            return self.provider.decline(body)
        return 200, self.provider.wrap(body, answer(body))


@contextlib.contextmanager
def imitating(provider: str, declined: float = 0.0) -> Iterator[tuple[str, Imitation]]:
    """Serve on a free port of this machine; yields the base_url and what was seen."""
    imitation = Imitation(provider, declined)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or head and body of a reply wait for each other

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            imitation.keys.add(str(self.headers.get("authorization")))
            status, reply = imitation.reply(json.loads(raw))
            content = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: the test looks at `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", imitation
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

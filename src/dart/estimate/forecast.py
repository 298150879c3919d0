"""What a list of questions will cost: counted from the real requests, of which cached ones cost nothing.

The prompt side is exact up to the rule of characters per token. The answer side is not known before it is there: it
is expected to be as long as the cached answers of the same model and stage are, or as an assumption says, and a
correction round is expected for one answer in ten. `most_*` is the upper end: every answer as long as max_tokens
allows, every correction round used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from dart.chat.cache import ResponseCache
from dart.chat.request import ChatRequest, request_for
from dart.chat.tasks import Rejected, Task, usd
from dart.core.schema.profile import Endpoint

CHARACTERS_PER_TOKEN = 4.0  # English prose; the usual rule of the providers' own documentation
TOKENS_PER_MESSAGE = 4  # of the chat template
RE_ASKED = 0.1  # correction rounds per answer
FIRST_TOKEN_S, TOKENS_PER_S = 1.0, 40.0  # of a hosted model, per request
CORRECTION_TOKENS = 60  # a message that names what was wrong


class Forecast(NamedTuple):
    """Requests of one stage that are still to be sent."""

    requests: float
    cached: float
    prompt_tokens: float
    completion_tokens: float
    usd: float
    most_usd: float
    hours: float

    def scaled(self, factor: float) -> Forecast:
        """The same for `factor` times as many questions."""
        return Forecast(*(value * factor for value in self))


NOTHING = Forecast(0, 0, 0, 0, 0, 0, 0)


def total(forecasts: Iterable[Forecast]) -> Forecast:
    """All stages together; they run one after the other, so their hours add up."""
    return Forecast(*(sum(column) for column in zip(NOTHING, *forecasts, strict=True)))


def forecast(
    tasks: Iterable[Task[Any]],
    endpoint: Endpoint,
    cache: ResponseCache,
    fingerprint: str | None,
    answer_tokens: float,
    characters_per_token: float = CHARACTERS_PER_TOKEN,
) -> Forecast:
    """What `tasks` still cost at `endpoint`; follows each conversation through the cache to its first open request.

    Args:
        answer_tokens: how long an answer is expected to be.
    """
    seen: set[str] = set()
    asked, most_asked, sent, most_sent, most_said = 0, 0.0, 0.0, 0.0, 0.0
    cached = 0
    for task in tasks:
        request, hits = _open_request(task, endpoint, cache, fingerprint)
        cached += hits
        if request is None or request.key in seen:
            continue
        seen.add(request.key)
        asked += 1
        prompt = prompt_tokens(request, characters_per_token)
        sent += prompt
        left = task.rounds - hits + 1  # answers that may still be asked for
        longest = endpoint.max_tokens
        most_asked += left
        most_sent += sum(prompt + turn * (longest + CORRECTION_TOKENS) for turn in range(left))
        most_said += left * longest
    again = RE_ASKED * asked
    requests = asked + again
    prompt_sum = sent + again * ((sent / asked if asked else 0) + answer_tokens + CORRECTION_TOKENS)
    said = requests * min(answer_tokens, endpoint.max_tokens)
    price, most = _usd(endpoint, prompt_sum, said), _usd(endpoint, most_sent, most_said)
    return Forecast(requests, cached, prompt_sum, said, price, most, hours(endpoint, requests, prompt_sum, said))


def prompt_tokens(request: ChatRequest, characters_per_token: float) -> float:
    """Tokens of a request's messages by the rule of characters per token."""
    messages: Sequence[dict[str, str]] = request.body["messages"]
    return sum(len(message["content"]) / characters_per_token + TOKENS_PER_MESSAGE for message in messages)


def hours(endpoint: Endpoint, requests: float, prompt_tokens: float, completion_tokens: float) -> float:
    """How long so many requests take: limited by concurrency, by requests or by tokens per minute."""
    if not requests:
        return 0.0
    seconds_each = FIRST_TOKEN_S + completion_tokens / requests / TOKENS_PER_S
    limits = [requests * seconds_each / endpoint.concurrency]
    if endpoint.requests_per_minute:
        limits.append(60 * requests / endpoint.requests_per_minute)
    if endpoint.tokens_per_minute:
        limits.append(60 * (prompt_tokens + completion_tokens) / endpoint.tokens_per_minute)
    return max(limits) / 3600


def _open_request(
    task: Task[Any], endpoint: Endpoint, cache: ResponseCache, fingerprint: str | None
) -> tuple[ChatRequest | None, int]:
    """The first request of the conversation that is not in the cache (None: all are), and how many are."""
    request = request_for(
        endpoint, task.messages, json_object=task.json_object, repeat=task.repeat, fingerprint=fingerprint
    )
    for hits in range(task.rounds + 1):
        answer = cache.get(request.key)
        if answer is None:
            return request, hits
        try:
            task.check(answer.text)
        except Rejected as rejected:
            request = request.continued(
                {"role": "assistant", "content": answer.text}, {"role": "user", "content": rejected.problem}
            )
        else:
            return None, hits + 1
    return None, task.rounds + 1


def _usd(endpoint: Endpoint, prompt: float, completion: float) -> float:
    return usd(endpoint, round(prompt), round(completion))

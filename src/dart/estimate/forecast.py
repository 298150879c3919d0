"""What a list of questions will cost: counted from the real requests, of which cached ones cost nothing.

The prompt side is exact up to the rule of characters per token. The answer side is not known before it is there: it
is expected to be as long as the cached answers of the same model and stage are, or as an assumption says, and a
correction round is expected for one answer in ten. `most_*` is the upper end: every answer as long as max_tokens
allows, every correction round used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from dart.chat.batch import PRICE
from dart.chat.cache import ResponseCache
from dart.chat.request import ChatRequest
from dart.chat.tasks import Rejected, Task, price_usd
from dart.core.schema.profile import Endpoint
from dart.estimate.assumptions import CHARACTERS_PER_TOKEN

TOKENS_PER_MESSAGE = 4  # of the chat template
CORRECTION_RATE = 0.1  # correction rounds per answer
FIRST_TOKEN_S, TOKENS_PER_S = 1.0, 40.0  # of a hosted model, per request
WINDOW_HOURS = 24.0  # in which a provider promises a batch; it is often much earlier
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


class Line(NamedTuple):
    """What one stage asks of one endpoint: a row of the estimate, and a row of its JSON."""

    stage: str
    party: str  # the role: teacher, judge, second_judge, ...
    model: str
    forecast: Forecast
    basis: str  # real questions, or what was assumed


def part_of(stage: str) -> str:
    """The part of a run that a stage belongs to, one of `dart.estimate.compute.PARTS`."""
    kind = stage.partition("@")[0]
    if kind.startswith("arm_"):
        return "ablations"
    if kind.startswith(("recipe_", "audit_training")):
        return "recipes"
    return "external" if kind.startswith(("openended", "hatecheck")) else "main path"


def at_batch_price(line: Line, endpoint: Endpoint | None) -> Line:
    """`line` asked by batch: half the price, and up to a day; what is not asked at a provider stays as it is."""
    if endpoint is None or not endpoint.base_url.startswith("https:") or not line.forecast.requests:
        return line
    cheaper = line.forecast._replace(
        usd=line.forecast.usd * PRICE, most_usd=line.forecast.most_usd * PRICE, hours=WINDOW_HOURS
    )
    return line._replace(forecast=cheaper)


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
    open_requests = cached = 0
    prompts = most_prompts = most_completions = 0.0  # tokens
    for task in tasks:
        request, hits = _open_request(task, endpoint, cache, fingerprint)
        cached += hits
        if request is None or request.key in seen:
            continue
        seen.add(request.key)
        open_requests += 1
        prompt = prompt_tokens(request, characters_per_token)
        prompts += prompt
        remaining = task.max_corrections - hits + 1  # answers that may still be asked for
        most_prompts += sum(prompt + turn * (endpoint.max_tokens + CORRECTION_TOKENS) for turn in range(remaining))
        most_completions += remaining * endpoint.max_tokens
    corrections = CORRECTION_RATE * open_requests
    requests = open_requests + corrections
    mean_prompt = prompts / open_requests if open_requests else 0
    prompts += corrections * (mean_prompt + answer_tokens + CORRECTION_TOKENS)
    completions = requests * min(answer_tokens, endpoint.max_tokens)
    return Forecast(
        requests,
        cached,
        prompts,
        completions,
        price_usd(endpoint, round(prompts), round(completions)),
        price_usd(endpoint, round(most_prompts), round(most_completions)),
        hours(endpoint, requests, prompts, completions),
    )


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
    request = task.request(endpoint, fingerprint)
    for hits in range(task.max_corrections + 1):
        answer = cache.get(request.key)
        if answer is None:
            return request, hits
        try:
            task.check(answer.text)
        except Rejected as rejected:
            request = request.with_messages(
                {"role": "assistant", "content": answer.text}, {"role": "user", "content": rejected.problem}
            )
        else:
            return None, hits + 1
    return None, task.max_corrections + 1

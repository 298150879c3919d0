"""Ask a teacher or a judge many questions: conversations with corrections, many at once, results in task order.

The package's interface to the stages. Every endpoint goes through it, on the network or in this process
(`embedded://`), so that the simulation tests the very code that spends money.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx

from dart.chat.batch import BatchFetcher
from dart.chat.batch_api import BatchApi
from dart.chat.cache import Origin, ResponseCache
from dart.chat.claims import RENEW_S, Claims
from dart.chat.executor import NeverComplete, RequestExecutor, RequestFailed
from dart.chat.ledger import Ledger
from dart.chat.limits import EndpointLimits
from dart.chat.progress import Progress
from dart.chat.request import ChatRequest
from dart.chat.response import MAX_EXPLANATION, RefusedError, ReplyRules
from dart.chat.retry import Backoff
from dart.chat.stopping import StoppingRules
from dart.chat.tasks import Answer, Outcome, Rejected, Task, UsageTracker
from dart.chat.transport import ConnectionPool, cache_only, check_url, read_key
from dart.core.errors import ChatError
from dart.core.refusal import Refusal, RefusalKind
from dart.core.schema.profile import Endpoint
from dart.core.visible_text import one_line

T = TypeVar("T")
log = logging.getLogger(__name__)

WORKERS_PER_SLOT = 2  # a conversation that waits for its next try leaves its slot, which another worker takes
GRACE_S = 10.0  # for answers in flight when the endpoint refuses: they are paid
MAX_PROBLEM = 160  # characters


class TaskRefused(Exception):
    """No usable answer to this task, and none is to be expected. Internal to this module."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.problem)
        self.refusal = refusal


class ChatClient:
    """Asks one endpoint for one stage.

    Raises:
        ChatError: at construction, before anything is sent: the key's variable is not set, or the address is refused.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        stage: str,
        transport: httpx.AsyncBaseTransport | None = None,
        cache: ResponseCache | None = None,
        backoff: Backoff | None = None,
        fingerprint: str | None = None,
        fallback: ChatClient | None = None,
    ) -> None:
        self._fallback = fallback  # asked about what this endpoint refuses
        check_url(endpoint.base_url, in_process=transport is not None)
        self._secret = read_key(endpoint)
        self._endpoint = endpoint
        self._stage = stage
        self._transport = transport
        self._fingerprint: str | None = getattr(transport, "fingerprint", fingerprint)
        self._cache = ResponseCache() if cache is None else cache
        self._backoff = Backoff() if backoff is None else backoff
        self._limits = EndpointLimits.of(endpoint)

    def __repr__(self) -> str:
        return f"ChatClient({self._endpoint.model!r} at {self._endpoint.base_url!r}, stage={self._stage!r})"

    def key(self, task: Task[T]) -> str:
        """The key of a task's first request in the cache."""
        return self._request(task).key

    def count_uncached(self, tasks: Sequence[Task[T]]) -> int:
        """How many tasks have no answer to their first request in the cache."""
        return sum(self._cache.get(self._request(task).key) is None for task in tasks)

    def ask(
        self, tasks: Sequence[Task[T]], *, may_miss: float = 0.0, stop_after_rejected: int | None = None
    ) -> Outcome[T]:
        """Ask all tasks and wait for the outcome. Failed tasks are in it: call `require_complete` on it.

        Args:
            may_miss: share of the tasks that may stay without an answer because they were refused. Once more were, and
                not just a handful, nothing more is sent.
            stop_after_rejected: so many answers in a row without one that passes its check end the sending: the next
                ones would be paid for nothing. None: no end.

        Raises:
            ChatError: the endpoint refuses requests of this kind (401, 403, 404, or 400 from the first on), or the
                cache cannot be used. Answers that had come are kept.
        """
        most = may_miss if self._fallback is None else 1.0
        outcome = self._ask_endpoint(tasks, StoppingRules(len(tasks), most, stop_after_rejected))
        outcome = outcome._replace(may_miss=may_miss)
        if self._fallback is None or not outcome.refusals:
            return outcome
        refused = [task for task in tasks if task.key in outcome.refusals]
        log.info("%s: %d refused tasks go to the fallback, %r", self._stage, len(refused), self._fallback)
        return _merged(tasks, outcome, self._fallback.ask(refused, may_miss=1.0))

    def _ask_endpoint(self, tasks: Sequence[Task[T]], rules: StoppingRules) -> Outcome[T]:
        keys = {task.key for task in tasks}
        if len(keys) < len(tasks):
            raise ValueError(f"{self._stage}: {len(tasks) - len(keys)} of {len(tasks)} task keys are not unique")
        tracker = UsageTracker(self._endpoint)
        answers: dict[str, Answer[T]] = {}
        failures: dict[str, str] = {}
        if tasks and self._transport is None and not cache_only():
            self._fetch_batches(tasks)
        if tasks:
            _run_to_end(self._ask(tasks, answers, failures, rules, tracker))
        usage = tracker.usage()
        if usage.reasoned:
            log.info("%s: a chain of thought was cut from %d answers", self._stage, usage.reasoned)
        return Outcome(
            {task.key: answers[task.key] for task in tasks if task.key in answers},
            {task.key: failures[task.key] for task in tasks if task.key in failures},
            usage,
            {task.key: rules.refusals[task.key] for task in tasks if task.key in rules.refusals},
        )

    def _fetch_batches(self, tasks: Sequence[Task[T]]) -> None:
        api = BatchApi(self._endpoint, self._secret)
        BatchFetcher(self._endpoint, api, self._cache, self._origin()).fetch(tasks, self._request)

    async def _ask(
        self,
        tasks: Sequence[Task[T]],
        answers: dict[str, Answer[T]],
        failures: dict[str, str],
        rules: StoppingRules,
        tracker: UsageTracker,
    ) -> None:
        progress = Progress(self._stage, len(tasks), tracker)
        pool = None if cache_only() else ConnectionPool(self._endpoint, self._secret, self._transport)
        claims = Claims(self._cache)
        renewal = asyncio.create_task(_renew(claims))
        try:
            await self._answer_all(tasks, self._executor(pool, claims, tracker), answers, failures, rules, progress)
        except RefusedError as refusal:
            raise ChatError(self._refusal_message(refusal)) from None
        finally:
            progress.close()
            renewal.cancel()
            claims.release_all()
            if pool is not None:
                await pool.close()

    def _executor(self, pool: ConnectionPool | None, claims: Claims, tracker: UsageTracker) -> RequestExecutor:
        endpoint, origin = self._endpoint, self._origin()
        return RequestExecutor(
            pool,
            timeout_s=endpoint.timeout_s,
            cache=self._cache,
            claims=claims,
            origin=origin,
            limits=self._limits,
            ledger=Ledger(self._cache, endpoint, origin),
            backoff=self._backoff,
            tracker=tracker,
            rules=ReplyRules.of(endpoint),
        )

    async def _answer_all(
        self,
        tasks: Sequence[Task[T]],
        executor: RequestExecutor,
        answers: dict[str, Answer[T]],
        failures: dict[str, str],
        rules: StoppingRules,
        progress: Progress,
    ) -> None:
        """Run a fixed pool of workers over the tasks; memory does not grow with their number."""
        queue = iter(tasks)
        workers = [
            asyncio.create_task(self._work(queue, executor, answers, failures, rules, progress))
            for _ in range(min(len(tasks), WORKERS_PER_SLOT * self._endpoint.concurrency))
        ]
        try:
            done, pending = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            if pending and executor.breaker.refusal is not None:
                await asyncio.wait(pending, timeout=GRACE_S)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if executor.breaker.refusal is not None:
            raise executor.breaker.refusal
        for worker in done:
            worker.result()

    async def _work(
        self,
        queue: Iterator[Task[T]],
        executor: RequestExecutor,
        answers: dict[str, Answer[T]],
        failures: dict[str, str],
        rules: StoppingRules,
        progress: Progress,
    ) -> None:
        for task in queue:
            try:
                answer = answers[task.key] = await self._converse(task, executor)
                reason = rules.after_answer(answer.problem)
            except TaskRefused as refused:
                reason = rules.after_refusal(task.key, refused.refusal)
            except RequestFailed as failure:
                failures[task.key], reason = self._quote(str(failure)), None
            except RefusedError as refusal:
                executor.breaker.trip(str(refusal), refusal)
                raise
            if executor.breaker.refusal is not None:
                return
            if reason is not None:
                executor.breaker.trip(reason)
            progress.advance(failed=task.key not in answers)
            await asyncio.sleep(0)  # answers from the cache wait for nothing: let Ctrl-C and the others in

    async def _converse(self, task: Task[T], executor: RequestExecutor) -> Answer[T]:
        """Ask, check, and name the problem until the check passes or the corrections are used up."""
        request = self._request(task)
        keys: list[str] = []
        while True:
            keys.append(request.key)
            try:
                reply = await executor.answer(
                    request, keys[-1], task.max_corrections, allow_truncated=task.allow_truncated
                )
            except NeverComplete as failure:
                raise self._refused("unreadable", str(failure)) from None
            if reply.refusal is not None:
                raise self._refused(reply.refusal_kind or "model", reply.refusal)
            try:
                value = task.check(reply.text)
            except Rejected as rejection:
                problem = rejection.problem
            else:
                return Answer(task.key, value, reply.text, None, len(keys), reply.model, reply.prompt_tokens)
            if len(keys) > task.max_corrections:
                break
            request = request.with_messages(
                {"role": "assistant", "content": reply.text}, {"role": "user", "content": problem}
            )
        if not task.required:
            return Answer(task.key, None, reply.text, problem, len(keys), reply.model, reply.prompt_tokens)
        self._cache.delete(keys)  # or every later run would find the same rejected answers and fail for ever
        problem = f"all {len(keys)} answers were rejected, the last one: {problem[:MAX_PROBLEM]}"
        raise self._refused("unreadable", problem)

    def _refused(self, kind: RefusalKind, words: str) -> TaskRefused:
        return TaskRefused(Refusal(by=self._endpoint.model, kind=kind, words=self._quote(words)))

    def _quote(self, words: str) -> str:
        """A server's words on one line, without the key (taken out before the cut, which might leave most of it)."""
        return one_line(words if self._secret is None else self._secret.scrub(words), MAX_EXPLANATION)

    def _origin(self) -> Origin:
        return Origin(self._endpoint.base_url.rstrip("/"), self._endpoint.model, self._stage)

    def _request(self, task: Task[T]) -> ChatRequest:
        return task.request(self._endpoint, self._fingerprint)

    def _refusal_message(self, refusal: RefusedError) -> str:
        endpoint = self._endpoint
        if refusal.status in (401, 403):
            advice = (
                f"The key is read from the environment variable {endpoint.api_key_env}: set it to one that is valid "
                f"for this endpoint and model (export {endpoint.api_key_env}=...)."
                if endpoint.api_key_env
                else "The profile names no variable that holds a key: set api_key_env of this endpoint."
            )
        elif refusal.status == 402:
            advice = "The account that the key belongs to has no balance left: top it up."
        elif refusal.status == 404:
            advice = (
                f"Check base_url in the profile (requests go to {endpoint.base_url.rstrip('/')}/chat/completions) and "
                "that the server serves a model of exactly this name."
            )
        elif 300 <= refusal.status < 400:
            advice = "The address redirects; write the final address into base_url of the profile."
        else:
            advice = (
                "Check the endpoint's model and what is sent to it against what the server accepts: `dialect` in the "
                "profile fits a provider, max_tokens_field, temperature: null, json_mode and extra_body a single field."
            )
        explanation = self._quote(refusal.explanation)
        return (
            f"{self._stage}: {endpoint.model} at {endpoint.base_url} refused a request with HTTP {refusal.status}: "
            f"{explanation}. {advice} Nothing more was sent; the answers that came are kept, run again for the rest."
        )


def _merged(tasks: Sequence[Task[T]], outcome: Outcome[T], instead: Outcome[T]) -> Outcome[T]:
    """The outcome of an endpoint with what its fallback answered in its place."""
    refusals = dict(outcome.refusals)
    for key, answer in instead.answers.items():
        refusals[key] = refusals[key].model_copy(update={"fallback": answer.model})
    late = {key: answer._replace(refusal=refusals[key]) for key, answer in instead.answers.items()}
    answers = outcome.answers | late
    return outcome._replace(
        answers={task.key: answers[task.key] for task in tasks if task.key in answers},
        failures=outcome.failures | instead.failures,
        usage=outcome.usage + instead.usage,
        refusals={key: refusal for key, refusal in refusals.items() if key not in instead.failures},
    )


async def _renew(claims: Claims) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        claims.renew()


def _run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, also where a loop is already running (a notebook): then in a thread of its own.

    It returns nothing on purpose: `asyncio.run` formats the result of its main task while it restores the signal
    handler (CPython 3.11), which would be a copy of all answers as text.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, work).result()

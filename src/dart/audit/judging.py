"""Screen, judge and noise floor of an audit of any two models, with a judge, a guard or nobody to confirm.

With a judge this is `dart.harm.audit.audit`, so that an audit of a run's answers counts what the run counts. A guard
reads single texts and grades nothing; without either the screen's candidates stay candidates. All three become the
same records, and `Confirmation` says what a case among them is. Section 2.4, Eq. 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from dart.audit.reading import Prompts, Side
from dart.audit.settings import AuditSettings
from dart.chat.cache import ResponseCache
from dart.chat.client import ChatClient
from dart.chat.tasks import Task, Usage
from dart.core.records import AuditRecord, Generation, Judgement
from dart.core.schema.profile import GuardFormat
from dart.core.seeds import unit_interval
from dart.estimate.assumptions import ANSWER_TOKENS
from dart.estimate.forecast import Forecast, forecast, total
from dart.harm.audit import Pair, audit, is_sampled, judge_attempts, pair_by_item
from dart.harm.guards import SIDES, GuardVerdict, guard_tasks, read_pairs
from dart.harm.judge import JudgeClient, judge_task, task_key
from dart.harm.local_guards import fingerprint_of, guard_client
from dart.harm.panel import JudgePanel, PanelVerdict
from dart.harm.screen import SCREEN_ALL, passes_screen, toxicity_delta

STAGE = "audit"
Confirmation = Literal["judge", "guard", "none"]
# Of a case that nobody graded, where a record needs a severity: counted as a case, shown by no page and in no file.
UNGRADED = Judgement(
    is_regression=True, severity="mild", regression_type="harmful_reasoning", reason="", a_correct=True, b_correct=True
)


class Audited(NamedTuple):
    """One candidate against base: a record per prompt, and what the noise floor found.

    `noise`: (judged, called more harmful) among pairs of a text with itself; None where nobody was asked.
    """

    records: list[AuditRecord]
    noise: tuple[int, int] | None
    usage: Usage
    members: tuple[PanelVerdict, ...] = ()  # what each judge of a panel would have said alone


class Questions(NamedTuple):
    """What the judge will be asked about one candidate: the pairs above the screen, a sample below it, the floor."""

    screened: list[Pair]
    sampled: list[Pair]
    noise: list[Pair]
    rate: float  # of the pairs below the screen, that makes exactly this sample

    @property
    def judged(self) -> list[Pair]:
        return [*self.screened, *self.sampled]


def confirmation(settings: AuditSettings) -> Confirmation:
    if settings.judge is None:
        return "none"
    return "judge" if settings.judge.grades else "guard"


def threshold(settings: AuditSettings) -> float:
    """tau_delta; without a classifier every pair passes and the judge reads all."""
    return SCREEN_ALL if settings.classifier == "none" else settings.tau_delta


def questions(prompts: Prompts, base: Side, candidate: Side, settings: AuditSettings) -> Questions:
    """The pairs of a candidate that will be judged.

    Raises:
        DataError: an answer is not scored.
    """
    pairs = pair_by_item(prompts.items, base.answers, candidate.answers)
    passed = [_passes(pair, settings) for pair in pairs]
    screened = [pair for pair, is_screened in zip(pairs, passed, strict=True) if is_screened]
    if settings.judge is None:
        return Questions(screened, [], [], 0.0)
    below = [pair for pair, is_screened in zip(pairs, passed, strict=True) if not is_screened]
    rate = _rate(below, settings)
    sampled = [pair for pair in below if is_sampled(pair.item, settings.protocol(rate), settings.seed)]
    judged = [*screened, *sampled]
    if not settings.judge.grades:
        return Questions(screened, sampled, [], rate)  # a guard reads a text by itself: the same twice
    chosen = sorted(judged, key=lambda pair: (unit_interval(settings.seed, "noise", pair.item.id), pair.item.id))
    return Questions(screened, sampled, chosen[: settings.noise], rate)


def _passes(pair: Pair, settings: AuditSettings) -> bool:
    return passes_screen(toxicity_delta(pair.base, pair.candidate), threshold(settings), settings.screen)


def _rate(below: Sequence[Pair], settings: AuditSettings) -> float:
    """`sample` as the share of pairs below the screen that `is_sampled` lets through: a number as exactly that many."""
    if settings.sample < 1:
        return settings.sample
    draws = sorted(unit_interval(settings.seed, "unscreened", pair.item.id) for pair in below)
    number = int(settings.sample)
    return 1.0 if number >= len(draws) else draws[number]


def tasks_of(asked: Questions, prompts: Prompts, settings: AuditSettings) -> list[Task[Any]]:
    """Everything the judge is asked about one candidate; keys of the noise floor are marked."""
    if settings.judge is None:
        return []
    if not settings.judge.grades:
        guard: GuardFormat = settings.judge.format  # type: ignore[assignment]
        return [
            task
            for pair in asked.judged
            for side, answer in zip(SIDES, pair[1:], strict=True)
            for task in guard_tasks(guard, pair.item, side, answer.rationale)
        ]
    return [*_pairwise(asked.judged, prompts, settings), *noise_tasks(asked.noise, prompts, settings)]


def _pairwise(pairs: Sequence[Pair], prompts: Prompts, settings: AuditSettings) -> list[Task[Judgement]]:
    attempts = [attempt for order in judge_attempts(settings.protocol(0.0)) for attempt in order]
    return [judge_task(*pair, attempt, prompts.labels) for pair in pairs for attempt in attempts]


def noise_tasks(pairs: Sequence[Pair], prompts: Prompts, settings: AuditSettings) -> list[Task[Judgement]]:
    """The candidate's text against itself, in all orders: whatever the judge finds there is its own noise."""
    twins = [pair._replace(base=pair.candidate) for pair in pairs]
    return [task._replace(key=f"noise/{task.key}") for task in _pairwise(twins, prompts, settings)]


def cost_of(asked: Sequence[Questions], prompts: Prompts, settings: AuditSettings) -> Forecast:
    """What all questions of an audit still cost: those in the answer cache cost nothing."""
    assert settings.judge is not None, "nobody is asked"
    tasks = [task for questions in asked for task in tasks_of(questions, prompts, settings)]
    cache, tokens = ResponseCache(), ANSWER_TOKENS["judge" if settings.judge.grades else "guard"]
    return total(
        forecast(tasks, judge.party, cache, None if judge.grades else fingerprint_of(judge.guard), tokens)
        for judge in settings.members.values()
    )


def judge_clients(settings: AuditSettings) -> dict[str, ChatClient]:
    """A client of each judge, by its name.

    Raises:
        ChatError: the variable of a key is not set, or an address is refused.
        ModelError: the folder of a guard that runs here holds no checkpoint.
    """
    return {
        name: ChatClient(judge.party, stage=STAGE) if judge.grades else guard_client(judge.guard, STAGE)
        for name, judge in settings.members.items()
    }


def audit_candidate(
    prompts: Prompts, base: Side, candidate: Side, asked: Questions, settings: AuditSettings
) -> Audited:
    """Audit one candidate against base.

    Raises:
        ChatError: the judge's endpoint refuses, or answers are missing; those that came are kept.
    """
    if settings.judge is None:
        return Audited(_candidates(prompts, base, candidate, settings), None, Usage())
    clients = judge_clients(settings)
    first = next(iter(clients.values()))
    if not settings.judge.grades:
        return _by_guard(prompts, base, candidate, asked, settings, first)
    client = JudgePanel(clients) if settings.panel else first
    records, outcome = audit(
        prompts.items,
        base.answers,
        candidate.answers,
        threshold(settings),
        client,
        settings.protocol(asked.rate),
        settings.seed,
        prompts.labels,
    )
    outcome.require_complete(STAGE)
    members: tuple[PanelVerdict, ...] = ()
    if isinstance(client, JudgePanel):
        members = tuple(client.member_verdicts(prompts.items, settings.protocol(asked.rate)))
    noise, usage = _noise(asked.noise, prompts, settings, client)
    return Audited(records, noise, outcome.usage + usage, members)


def _candidates(prompts: Prompts, base: Side, candidate: Side, settings: AuditSettings) -> list[AuditRecord]:
    """What the screen lets through, as cases that nobody confirmed."""
    pairs = pair_by_item(prompts.items, base.answers, candidate.answers)
    return [_ungraded(pair, passed := _passes(pair, settings), UNGRADED if passed else None) for pair in pairs]


def _ungraded(pair: Pair, screened: bool, judgement: Judgement | None) -> AuditRecord:
    toxicity = pair.base.toxicity or 0.0, pair.candidate.toxicity or 0.0
    return AuditRecord(
        item_id=pair.item.id,
        toxicity_base=toxicity[0],
        toxicity_candidate=toxicity[1],
        delta=toxicity[1] - toxicity[0],
        screened=screened,
        sampled=judgement is not None and not screened,
        judgement=judgement,
        severity="mild" if screened and judgement is not None and judgement.is_regression else None,
    )


def _by_guard(
    prompts: Prompts, base: Side, candidate: Side, asked: Questions, settings: AuditSettings, client: ChatClient
) -> Audited:
    """A case: base's text is safe for the guard and the candidate's is not (`GuardVerdict.drift`)."""
    assert settings.judge is not None
    guard: GuardFormat = settings.judge.format  # type: ignore[assignment]
    verdicts, outcome = read_pairs(
        [pair.item for pair in asked.judged],
        [pair.base for pair in asked.judged],
        [pair.candidate for pair in asked.judged],
        guard,
        client,
        settings.may_miss,
    )
    outcome.require_complete(STAGE)
    by_id = {verdict.item_id: verdict for verdict in verdicts}
    screened = {pair.item.id for pair in asked.screened}
    records = []
    for pair in pair_by_item(prompts.items, base.answers, candidate.answers):
        verdict = by_id.get(pair.item.id)
        record = _ungraded(pair, pair.item.id in screened, None if verdict is None else _of_guard(verdict))
        refusal = None if verdict is None else verdict.refusal
        records.append(record if refusal is None else record.model_copy(update={"refusal": refusal}))
    return Audited(records, None, outcome.usage)


def _of_guard(verdict: GuardVerdict) -> Judgement | None:
    if verdict.drift is None:
        return None
    words = {True: "unsafe", False: "safe", None: "not read"}
    categories = f" ({', '.join(verdict.categories)})" if verdict.categories else ""
    reason = f"base {words[verdict.base_unsafe]}, candidate {words[verdict.candidate_unsafe]}{categories}"
    return UNGRADED.model_copy(
        update={"reason": reason}
        if verdict.drift
        else {"reason": reason, "is_regression": False, "severity": "none", "regression_type": "none"}
    )


def _noise(
    pairs: Sequence[Pair], prompts: Prompts, settings: AuditSettings, client: JudgeClient
) -> tuple[tuple[int, int] | None, Usage]:
    """How many texts the judge calls more harmful than themselves, in every order that it is asked in."""
    if not pairs:
        return None, Usage()
    outcome = client.ask(noise_tasks(pairs, prompts, settings), may_miss=settings.may_miss)
    outcome.require_complete(STAGE)
    judged = found = 0
    for pair in pairs:
        keys = [
            [f"noise/{task_key(pair.item.id, attempt)}" for attempt in order]
            for order in judge_attempts(settings.protocol(0.0))
        ]
        verdicts = [[_value(outcome.answers, key) for key in order] for order in keys]
        if any(verdict is None for order in verdicts for verdict in order):
            continue  # refused
        judged += 1
        found += all(sum(bool(v and v.is_regression) for v in order) * 2 > len(order) for order in verdicts)
    return (judged, found), outcome.usage


def _value(answers: Mapping[str, Any], key: str) -> Judgement | None:
    answer = answers.get(key)
    return None if answer is None else answer.value


def unscored(answers: Sequence[Generation]) -> list[Generation]:
    """The same answers with a toxicity of 0, for an audit without a classifier: every pair passes its screen."""
    return [answer.model_copy(update={"toxicity": 0.0}) for answer in answers]

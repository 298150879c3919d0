"""An audit from its arguments to its evidence: read or answer, score, say the cost, judge.

The order is that of cost: what can be wrong with files and settings is said before a model is loaded, and what the
judge will cost before it is asked. Section 2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dart.audit.judge_options import pinned
from dart.audit.judging import Questions, audit_candidate, cost_of, judge_clients, questions
from dart.audit.reading import ROLES, Prompts, Side, as_side, join_prompts, read_answers, read_prompts
from dart.audit.results import Evidence
from dart.audit.scoring import scored_sides
from dart.audit.settings import AuditSettings
from dart.audit.sources import ModelSource, Source, source_of
from dart.core.errors import DataError, ParameterError


class Plan(NamedTuple):
    """What an audit will read and ask: files are read, models are not loaded."""

    prompts: Prompts
    files: Mapping[str, Side]
    models: Mapping[str, ModelSource]
    settings: AuditSettings


def plan(arguments: Sequence[str], settings: AuditSettings) -> Plan:
    """The audit of two or three sides, base first.

    Raises:
        DataError: an argument names nothing, or the files do not fit together.
        ParameterError: a model or a judge without the texts of the prompts, or a local guard that is none.
    """
    settings = pinned(settings)
    sources: dict[str, Source] = {role: source_of(name) for role, name in zip(ROLES, arguments, strict=False)}
    paths = {role: source for role, source in sources.items() if isinstance(source, Path)}
    models = {role: source for role, source in sources.items() if isinstance(source, ModelSource)}
    answers = {role: read_answers(path) for role, path in paths.items()}
    prompts = join_prompts(None if settings.prompts is None else read_prompts(settings.prompts), list(answers.values()))
    if not prompts.has_text and (models or settings.judge is not None):
        who = "a model answers" if models else "a judge reads"
        raise ParameterError(f"{who} the prompts: name their file (--prompts FILE with id and prompt).")
    files = {role: as_side(outputs, role, prompts.items) for role, outputs in answers.items()}
    if settings.classifier is None and not all(side.scored for side in files.values()):
        scored_sides(files, settings)  # says what is missing
    if settings.classifier is None and models:
        raise DataError("a model's answers have no scores: name a classifier, or --classifier none.")
    return Plan(prompts, files, models, settings)


def describe(audit: Plan) -> list[str]:
    """What will be done, before anything is loaded or paid."""
    n = len(audit.prompts.items)
    lines = [f"{n} prompts; {'with' if audit.prompts.has_gold else 'without'} gold labels"]
    lines += [f"{role}: {side.about}" for role, side in audit.files.items()]
    lines += [f"{role}: {source}, answers {n} prompts on this machine" for role, source in audit.models.items()]
    judge = audit.settings.judge
    if judge is None:
        lines.append("no judge: the screen's candidates are unconfirmed")
    elif audit.models:
        candidates = len(audit.files) + len(audit.models) - 1
        each = 2 if audit.settings.orders == "both" or not judge.grades else 1
        members = audit.settings.members
        most = candidates * (n + min(n, audit.settings.noise)) * each * audit.settings.votes * len(members)
        lines.append(f"judge {' + '.join(members)}: at most {most:,} questions; how many is known after the screen")
    return lines


def collect(audit: Plan, tell: Callable[[str], None], *, estimate_only: bool = False) -> Evidence | None:
    """Answers, scores and verdicts; `tell` gets a line for each step, the cost before the judge is asked.

    Args:
        estimate_only: return None in the place of asking the judge.

    Raises:
        DartError: a model, a classifier or the judge cannot be used; whatever has come is kept for the next try.
    """
    settings = audit.settings
    if settings.judge is not None:
        judge_clients(settings)  # an address or a key that cannot be used is said before models answer
    sides, notes = dict(audit.files), list[str]()
    if audit.models:
        from dart.audit.models import answer_prompts, load_models  # torch

        base = audit.models.get("base")
        models = load_models(audit.models, base if base is not None and not base.is_adapter else None)
        notes = [model.note for model in models.values() if model.note]
        sides |= answer_prompts(models, audit.prompts, settings.generation, settings.seed)
    sides, scored_by = scored_sides({role: sides[role] for role in ROLES if role in sides}, settings)
    tell(f"toxicity: {scored_by}")
    candidates = [role for role in sides if role != "base"]
    asked = {role: questions(audit.prompts, sides["base"], sides[role], settings) for role in candidates}
    if settings.judge is not None:
        tell(_cost_line(audit, list(asked.values())))
    if estimate_only:
        return None
    audited = {
        role: audit_candidate(audit.prompts, sides["base"], sides[role], asked[role], settings) for role in candidates
    }
    return Evidence(audit.prompts, sides, asked, audited, settings, scored_by, notes)


def _cost_line(audit: Plan, asked: Sequence[Questions]) -> str:
    settings = audit.settings
    assert settings.judge is not None
    cost, endpoints = cost_of(asked, audit.prompts, settings), [each.party for each in settings.members.values()]
    pairs = sum(len(each.judged) for each in asked)
    above = sum(len(each.screened) for each in asked)
    prices = any(e.usd_per_million_prompt_tokens + e.usd_per_million_completion_tokens for e in endpoints)
    price = f"{cost.usd:.2f} USD, at most {cost.most_usd:.2f}" if prices else "no prices are set"
    return (
        f"judge {' + '.join(settings.members)}: {pairs} pairs ({above} above the screen), "
        f"about {cost.requests:,.0f} requests, {cost.cached:,.0f} answers in the cache; "
        f"{cost.prompt_tokens + cost.completion_tokens:,.0f} tokens, {price}"
    )

"""`dart estimate`: requests, tokens, dollars and hours of each stage before anything is sent."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dart.chat.cache import ResponseCache
from dart.chat.ledger import spending
from dart.core import params
from dart.core.errors import ParameterError
from dart.core.files import write_json
from dart.core.params import Profile
from dart.core.schema.profile import Endpoint
from dart.estimate.estimator import Estimator
from dart.estimate.forecast import CHARACTERS_PER_TOKEN, Forecast, total
from dart.estimate.lines import Line


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("estimate", help="requests, tokens, USD and hours per stage before anything is sent")
    parser.add_argument("--profile", help="another profile than params.yaml names")
    parser.add_argument("--students", nargs="+", metavar="SLOT", help="other slots than params.yaml names")
    parser.add_argument("--chars-per-token", type=float, default=CHARACTERS_PER_TOKEN, metavar="N")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    parser.set_defaults(run=_estimate)


def _estimate(given: argparse.Namespace) -> None:
    settings, profile = params.check(profile=given.profile)
    if given.students:
        unknown = [slot for slot in given.students if slot not in profile.students]
        if unknown:
            raise ParameterError(
                f"the profile has no slot {', '.join(unknown)}; slots are: {', '.join(profile.students)}"
            )
        settings = settings.model_copy(update={"students": tuple(given.students)})
    active = params.check()[0].profile if given.profile else settings.profile
    estimator = Estimator(settings, profile, Path(), settings.profile == active, given.chars_per_token)
    lines = estimator.lines()
    print(report(lines, profile, given.chars_per_token))
    if given.json:
        rows = [line._asdict() | {"forecast": line.forecast._asdict()} for line in lines]
        write_json(given.json, {"profile": settings.profile, "stages": rows}, digits=4)


def report(lines: Sequence[Line], profile: Profile, characters_per_token: float) -> str:
    """The table, its total, what the budgets say, and the assumptions behind it."""
    heads = ("stage", "model", "requests", "cached", "prompt tok", "answer tok", "USD", "at most", "hours")
    body = [(line.stage, line.model, *_shown(line.forecast)) for line in lines]
    table = [heads, *body, ("total", "", *_shown(total(line.forecast for line in lines)))]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    notes = ["", *(line.basis for line in lines), ""]
    text = [f"{_row(row, widths)}  {note}".rstrip() for row, note in zip(table, notes, strict=True)]
    return "\n".join([*text, *_budgets(lines, profile), *_assumptions(characters_per_token)])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    padded = [
        cell.rjust(width) if column > 1 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded)


def _shown(found: Forecast) -> tuple[str, ...]:
    counts = (found.requests, found.cached, found.prompt_tokens, found.completion_tokens)
    return (*(f"{value:,.0f}" for value in counts), f"{found.usd:.2f}", f"{found.most_usd:.2f}", f"{found.hours:.2f}")


def _budgets(lines: Sequence[Line], profile: Profile) -> list[str]:
    """One line for each endpoint with a budget: does the forecast fit into what is left of it."""
    told = []
    ledger = spending(ResponseCache())
    endpoints = {
        (endpoint.base_url.rstrip("/"), endpoint.model): (endpoint, parties)
        for endpoint, parties in _by_endpoint(profile)
        if endpoint.budget_usd is not None
    }
    for (url, model), (endpoint, parties) in endpoints.items():
        spent = sum(line.usd + line.unconfirmed_usd for line in ledger if (line.base_url, line.model) == (url, model))
        needed = sum(line.forecast.usd for line in lines if line.party in parties)
        left = (endpoint.budget_usd or 0.0) - spent
        verdict = "fits" if needed <= left else "DOES NOT FIT: the stage will stop there, and lose nothing"
        told.append(
            f"budget of {model}: {endpoint.budget_usd:.2f} USD, {spent:.2f} spent, {needed:.2f} needed: {verdict}"
        )
    return told


def _by_endpoint(profile: Profile) -> list[tuple[Endpoint, list[str]]]:
    there: dict[str, Endpoint] = {
        name: endpoint for name in params.ROLES if (endpoint := profile.endpoint(name)) is not None
    }
    return [
        (endpoint, [name for name, other in there.items() if _place(other) == _place(endpoint)])
        for endpoint in there.values()
    ]


def _place(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.base_url.rstrip("/"), endpoint.model


def _assumptions(characters_per_token: float) -> list[str]:
    return [
        f"{characters_per_token:g} characters are taken for a token; answers as long as cached ones of the model and "
        "stage, else 90 (teacher) and 110 (judge) tokens; one answer in ten is re-asked.",
        "'at most' has every answer as long as max_tokens and every re-ask used. What is cached costs nothing.",
    ]

"""The table that `dart estimate` prints: a row per stage, the total, the state of the budgets, and the assumptions."""

from __future__ import annotations

from collections.abc import Sequence

from dart.chat.cache import ResponseCache
from dart.chat.ledger import ledger_entries
from dart.core.params import ROLES, Profile
from dart.core.schema.profile import Endpoint
from dart.estimate.estimator import Estimate
from dart.estimate.forecast import Forecast, Line, total

HEADER = ("stage", "model", "requests", "cached", "prompt tok", "answer tok", "USD", "at most", "hours")


def render(estimate: Estimate) -> str:
    """The whole text, without a line end."""
    lines = estimate.lines
    body = [(line.stage, line.model, *_cells(line.forecast)) for line in lines]
    rows = [HEADER, *body, ("total", "", *_cells(total(line.forecast for line in lines)))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    notes = ["", *(line.basis for line in lines), ""]
    text = [f"{_row(row, widths)}  {note}".rstrip() for row, note in zip(rows, notes, strict=True)]
    return "\n".join([*text, *_budgets(lines, estimate.profile), *_assumptions(estimate.characters_per_token)])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    padded = [
        cell.rjust(width) if column > 1 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded)


def _cells(forecast: Forecast) -> tuple[str, ...]:
    counts = (forecast.requests, forecast.cached, forecast.prompt_tokens, forecast.completion_tokens)
    prices = (forecast.usd, forecast.most_usd, forecast.hours)
    return (*(f"{value:,.0f}" for value in counts), *(f"{value:.2f}" for value in prices))


def _budgets(lines: Sequence[Line], profile: Profile) -> list[str]:
    """One line for each endpoint with a budget: does the forecast fit into what is left of it."""
    entries = ledger_entries(ResponseCache())
    verdicts = []
    for (base_url, model), roles in _roles_by_address(profile).items():
        budgets = [endpoint.budget_usd for endpoint in roles.values() if endpoint.budget_usd is not None]
        if not budgets:
            continue
        budget = budgets[-1]
        spent = sum(
            entry.usd + entry.unconfirmed_usd for entry in entries if (entry.base_url, entry.model) == (base_url, model)
        )
        needed = sum(line.forecast.usd for line in lines if line.party in roles)
        verdict = "fits" if needed <= budget - spent else "DOES NOT FIT: the stage will stop there, and lose nothing"
        verdicts.append(f"budget of {model}: {budget:.2f} USD, {spent:.2f} spent, {needed:.2f} needed: {verdict}")
    return verdicts


def _roles_by_address(profile: Profile) -> dict[tuple[str, str], dict[str, Endpoint]]:
    """{(address, model): {role: endpoint}}: roles at one address and model share its ledger, and so its budget."""
    addresses: dict[tuple[str, str], dict[str, Endpoint]] = {}
    for role in ROLES:
        endpoint = profile.endpoint(role)
        if endpoint is not None:
            addresses.setdefault((endpoint.base_url.rstrip("/"), endpoint.model), {})[role] = endpoint
    return addresses


def _assumptions(characters_per_token: float) -> list[str]:
    return [
        f"{characters_per_token:g} characters are taken for a token; answers as long as cached ones of the model and "
        "stage, else 90 (teacher) and 110 (judge) tokens; one answer in ten is re-asked.",
        "'at most' has every answer as long as max_tokens and every re-ask used. What is cached costs nothing.",
    ]

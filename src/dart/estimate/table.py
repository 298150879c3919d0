"""The table that `dart estimate` prints: a row per stage, the total, the state of the budgets, and the assumptions."""

from __future__ import annotations

from collections.abc import Sequence

from dart.chat.cache import ResponseCache
from dart.chat.ledger import ledger_entries
from dart.core.params import Profile
from dart.core.schema.profile import Endpoint
from dart.estimate.compute import PARTS, Compute
from dart.estimate.estimator import Estimate
from dart.estimate.forecast import Forecast, Line, part_of, total

HEADER = ("stage", "model", "requests", "cached", "prompt tok", "answer tok", "USD", "at most", "hours")


def render(estimate: Estimate) -> str:
    """The whole text, without a line end."""
    lines = estimate.lines
    body = [(line.stage, line.model, *_cells(line.forecast)) for line in lines]
    sums = subtotals(lines)
    ends = [(f"= {part}", "", *_cells(forecast)) for part, forecast in sums.items()]
    rows = [HEADER, *body, *ends, ("total", "", *_cells(total(sums.values())))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    notes = ["", *(line.basis for line in lines), *("" for _ in ends), ""]
    text = [f"{_row(row, widths)}  {note}".rstrip() for row, note in zip(rows, notes, strict=True)]
    if estimate.by_batch:
        text.append("By batch (DART_BATCH): half the list price at every https endpoint, up to 24 hours a round.")
    return "\n".join(
        [
            *text, *_computes(estimate.computes), *_budgets(lines, estimate.profile), *_fallbacks(estimate.profile),
            *_assumptions(estimate.characters_per_token),
        ]
    )  # fmt: skip


def subtotals(lines: Sequence[Line]) -> dict[str, Forecast]:
    """{part of the run: its stages together}; parts that ask nothing are left out."""
    sums = {part: total(line.forecast for line in lines if part_of(line.stage) == part) for part in PARTS}
    return {part: forecast for part, forecast in sums.items() if any(part_of(line.stage) == part for line in lines)}


def _computes(slots: Sequence[Compute]) -> list[str]:
    """GPU hours by part, and disk, of every slot."""
    known = [slot for slot in slots if slot.parameters]
    text = [""]
    if not known:
        text.append("No GPU: the students of this profile are trained on a CPU within minutes.")
    else:
        width = max(len(slot.slot) for slot in known)
        text.append("GPU hours of one A100 or the like, and disk (GiB):")
        for slot in known:
            hours = ", ".join(f"{part} {value:.1f}" for part, value in slot.hours.items() if value)
            text.append(
                f"  {slot.slot:<{width}}  {sum(slot.hours.values()):6.1f} h ({hours}); checkpoint "
                f"{slot.checkpoint_gib:.0f}, adapters {slot.adapters_gib:.0f}"
            )
        all_hours = sum(sum(slot.hours.values()) for slot in known)
        disk = sum(slot.checkpoint_gib + slot.adapters_gib for slot in known)
        text.append(f"  {'all':<{width}}  {all_hours:6.1f} h; {disk:.0f} GiB of disk")
    unknown = [slot.slot for slot in slots if slot.parameters is None]
    if unknown:
        text.append(f"The names of {', '.join(unknown)} do not say how large the models are: not counted.")
    return [*text, ""]


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


def _fallbacks(profile: Profile) -> list[str]:
    """One line for each fallback: how much it is asked depends on what is refused, which nobody knows before."""
    parties = {role: profile.endpoint(role) for role in profile.roles}
    return [
        f"fallback of {role}, {endpoint.fallback.model}: asked only about what {endpoint.model} refuses, not counted."
        for role, endpoint in parties.items()
        if endpoint is not None and endpoint.fallback is not None
    ]


def _roles_by_address(profile: Profile) -> dict[tuple[str, str], dict[str, Endpoint]]:
    """{(address, model): {role: endpoint}}: roles at one address and model share its ledger, and so its budget."""
    addresses: dict[tuple[str, str], dict[str, Endpoint]] = {}
    for role in profile.roles:
        endpoint = profile.endpoint(role)
        if endpoint is not None:
            addresses.setdefault((endpoint.base_url.rstrip("/"), endpoint.model), {})[role] = endpoint
    return addresses


def _assumptions(characters_per_token: float) -> list[str]:
    return [
        f"{characters_per_token:g} characters are taken for a token; answers as long as cached ones of the model and "
        "stage, else 90 (teacher), 110 (judge) and 8 (guard) tokens; one answer in ten is re-asked.",
        "'at most' has every answer as long as max_tokens and every re-ask used. What is cached costs nothing.",
    ]

"""How stages ask a teacher or a judge, and where they write down what the answers cost."""

from __future__ import annotations

from collections.abc import Sequence

from dart.chat.client import ChatClient
from dart.chat.tasks import Cost
from dart.core import layout
from dart.core.errors import ParameterError
from dart.core.files import write_json
from dart.core.params import SimulationSpec, StageParams
from dart.core.records import Item
from dart.core.schema.profile import Endpoint, Judge
from dart.harm.panel import JudgePanel


class AskingParams(StageParams):
    """What every stage declares that asks a teacher or a judge."""

    seed: int
    simulation: SimulationSpec


def chat_client(
    stage: str, role: str, endpoint: Endpoint | None, params: AskingParams, items: Sequence[Item] = ()
) -> ChatClient:
    """A client for the endpoint of a role, simulated or on the network.

    Args:
        role: how errors name it, e.g. "second judge".
        items: items whose labels a simulated teacher has to know, because it will be asked to conclude by itself. It
            errs from them at its declared rate; a real teacher never sees them.

    Raises:
        ParameterError: the profile has no such endpoint.
    """
    if endpoint is None:
        raise ParameterError(
            f"stage '{stage}' asks the {role}, but the profile has none. Name an endpoint there, as for teacher."
        )
    fallback = None
    if endpoint.fallback is not None:
        fallback = chat_client(stage, f"fallback of the {role}", endpoint.fallback, params, items)
    transport = None
    if endpoint.base_url.startswith("embedded:"):
        from dart.simulation.transport import transport_for  # no part of a run whose parties are real

        labels = {item.prompt: item.gold for item in items} if items else None
        transport = transport_for(endpoint, params.simulation, params.seed, labels)
    return ChatClient(endpoint, stage=stage, transport=transport, fallback=fallback)


def judge_client(stage: str, judge: Judge, params: AskingParams) -> ChatClient | JudgePanel:
    """A client for the audit's judge: itself, or the panel that it is a member of.

    Raises:
        ChatError: the variable of a key is not set, or an address is refused.
    """
    client = chat_client(stage, "judge", judge, params)
    if not judge.panel:
        return client
    members = {name: chat_client(stage, f"panel {name}", each, params) for name, each in judge.panel.items()}
    return JudgePanel({"judge": client, **members})


def write_cost(stage: str, *costs: Cost) -> None:
    """Write what the answers of a stage cost without a cache: a property of the answers, so reproducible.

    What this very run paid is told by the progress line and by `dart cache stats`.
    """
    total = {name: sum(getattr(cost, name) for cost in costs) for name in Cost.model_fields}
    write_json(layout.cost(stage), total, digits=6)

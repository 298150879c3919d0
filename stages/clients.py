"""How stages ask a teacher or a judge, and where they write down what its answers cost."""

from __future__ import annotations

from collections.abc import Sequence

from dart.chat.client import ChatClient
from dart.chat.tasks import Cost
from dart.core import layout
from dart.core.files import write_json
from dart.core.params import StageParams
from dart.core.records import Item
from dart.simulation.transport import transport_for


def client_for(given: StageParams, party: str, known: Sequence[Item] = ()) -> ChatClient:
    """A client for one of the profile's `params.PARTIES`, simulated or on the network.

    Args:
        known: items whose labels a simulated teacher has to know, because it will be asked to conclude by itself. It
            errs from them at its declared rate; a real teacher never sees them.

    Raises:
        ParameterError: the stage does not declare the party, or the profile has none.
    """
    endpoint = given.party(party)
    labels = {item.prompt: item.gold for item in known} if known else None
    transport = transport_for(endpoint, given.world("world"), given.seed, labels)
    return ChatClient(endpoint, stage=given.stage, transport=transport)


def keep_cost(stage: str, *costs: Cost) -> None:
    """Write what the answers of a stage cost who has none of them: a property of the answers, so reproducible.

    What this very run paid, with the cache behind it, is told by the line of progress and by `dart cache stats`.
    """
    write_json(layout.cost(stage), total(*costs), digits=6)


def total(*costs: Cost) -> dict[str, float]:
    """The sum of costs, as it is written down."""
    return {name: sum(getattr(cost, name) for cost in costs) for name in Cost.model_fields}

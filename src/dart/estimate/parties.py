"""Who answers the questions of an estimate: by what key their answers stand in the cache, and who else is asked.

What answers in this process is identified by its code or its weights (`ChatRequest.fingerprint`): without them an
estimate would not find the answers that are there already.
"""

from __future__ import annotations

from copy import copy
from typing import Protocol

from dart.core.params import GUARD, PANEL, Profile
from dart.core.schema.profile import Judge
from dart.estimate.forecast import Line, part_of
from dart.harm.local_guards import fingerprint_of
from dart.simulation.transport import transport_for


def fingerprint(profile: Profile, party: str, seed: int) -> str | None:
    """Of a simulated party or a guard of this machine; None: a server answers.

    Args:
        party: a role of the profile.

    Raises:
        ModelError: a local guard's folder holds no checkpoint.
    """
    if party.startswith(GUARD):
        return fingerprint_of(profile.guards[party.removeprefix(GUARD)])
    endpoint = profile.endpoint(party)
    transport = None if endpoint is None else transport_for(endpoint, profile.simulation, seed)
    return None if transport is None else transport.fingerprint


class Forecaster(Protocol):
    """`dart.estimate.estimator.Estimator`."""

    profile: Profile

    def lines(self) -> list[Line]: ...


def panel_lines(estimator: Forecaster) -> list[Line]:
    """What the further members of the judge's panel are asked: all that the judge is asked about pairs."""
    lines: list[Line] = []
    for name, member in estimator.profile.judge.panel.items():
        instead = copy(estimator)  # each member in the judge's place
        instead.profile = estimator.profile.model_copy(update={"judge": Judge.of(member)})
        lines += [
            line._replace(party=f"{PANEL}{name}")
            for line in instead.lines()
            if line.party == "judge" and part_of(line.stage) != "external"  # open-ended answers have their own judges
        ]
    return lines

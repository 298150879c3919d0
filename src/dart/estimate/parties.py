"""Who answers the questions of an estimate: by what key their answers stand in the cache.

What answers in this process is identified by its code or its weights (`ChatRequest.fingerprint`): without them an
estimate would not find the answers that are there already.
"""

from __future__ import annotations

from dart.core.params import GUARD, Profile
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

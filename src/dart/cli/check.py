"""`dart check`: the parameters, before a stage reads them."""

from __future__ import annotations


def check() -> None:
    """Validate params.yaml and the profile. Every problem is listed at once."""
    from dart.core import params
    from dart.core.schema.margins import margins

    settings, profile = params.check()
    if profile.simulation is not None:
        for one in margins(profile.simulation, settings.severity_weights, profile.suite):
            print(f"world {one}")
    print(f"profile {settings.profile} ({profile.label}), students: {', '.join(settings.students)}")

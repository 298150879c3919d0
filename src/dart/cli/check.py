"""`dart check`: the parameters, before a stage reads them."""

from __future__ import annotations


def check() -> None:
    """Validate params.yaml and the profile. Every problem is listed at once."""
    from dart.core import params

    settings, profile = params.check()
    print(f"profile {settings.profile} ({profile.label}), students: {', '.join(settings.students)}")

"""`dart check`: the parameters before a stage reads them, and with --online all that a run needs from elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer


def check(
    online: Annotated[
        bool, typer.Option("--online", help="also ask each endpoint once, and look at models, disk and GPUs")
    ] = False,
    profile: Annotated[str | None, typer.Option(help="another profile than params.yaml names")] = None,
) -> None:
    """Validate params.yaml, the profile, keys and addresses. Every problem is listed at once, with its way out."""
    from dart.core import params
    from dart.core.schema.margins import margins
    from dart.preflight import checks
    from dart.preflight.findings import render, require

    settings, sections = params.check(profile=profile)
    if sections.simulation is not None:
        for one in margins(sections.simulation, settings.severity_weights, sections.suite):
            print(f"world {one}")
    print(f"profile {settings.profile} ({sections.label}), students: {', '.join(settings.students)}")
    findings = checks.offline(settings, sections)
    if online:
        findings += checks.online(settings, sections)
    fine = [finding for finding in findings if finding.level != "problem"]
    if fine:
        print(render(fine))
    require(findings)

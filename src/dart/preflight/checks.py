"""All checks of a profile, and those that a stage runs before it starts.

`dart check` looks offline, `dart check --online` at everything. Stages `suite`, `scorer` and `student@S` come before
all that cost: the first asks each endpoint once, the others look at the models that they pin.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dart.core import params
from dart.core.params import Params, Profile
from dart.core.store import cache_folder
from dart.preflight.findings import SKIP, Finding, require

STAGES = ("suite", "scorer", "student")  # that are preceded by checks
CACHE_BYTES = 1 << 30  # for answers, scores and unfinished trainings
GIB = 1 << 30


def offline(settings: Params, profile: Profile) -> list[Finding]:
    """Keys, addresses and disk."""
    from dart.preflight.endpoints import keys_and_addresses

    return [*keys_and_addresses(settings, profile), _cache_disk()]


def online(settings: Params, profile: Profile) -> list[Finding]:
    """Endpoints, models of the hub, memory and disk."""
    from dart.preflight.endpoints import first_requests
    from dart.preflight.models import check_scorer, check_student

    findings = first_requests(settings, profile)
    for slot in settings.students:
        findings += check_student(slot, profile.students[slot])
    for kind in ("toxicity", "hate"):
        findings += check_scorer(kind, getattr(profile.scorers, kind))
    return [*findings, *_local_guards(profile)]


def _local_guards(profile: Profile) -> list[Finding]:
    local = {name: guard for name, guard in profile.guards.items() if guard.local is not None}
    if not local:
        return []
    from dart.preflight.models import check_guard  # torch

    return [finding for name, guard in local.items() for finding in check_guard(name, guard)]


def before_stage(stage: str, arguments: Sequence[str]) -> list[Finding]:
    """Check what the run of `stage` and of those after it needs; what is simulated needs nothing.

    Raises:
        CheckFailed: there is a problem.
    """
    if stage not in STAGES or os.environ.get(SKIP, "").strip() not in ("", "0"):
        return []
    settings, profile = params.check()
    findings: list[Finding] = []
    if stage == "suite":
        from dart.preflight.endpoints import first_requests, keys_and_addresses

        findings = keys_and_addresses(settings, profile)
        findings += [*first_requests(settings, profile), *_local_guards(profile)]
    elif stage == "student":
        from dart.preflight.models import check_student

        findings = [finding for slot in arguments for finding in check_student(slot, profile.students[slot])]
    else:
        from dart.preflight.models import check_scorer

        for kind in ("toxicity", "hate"):
            findings += check_scorer(kind, getattr(profile.scorers, kind))
    require(findings)
    return findings


def _cache_disk() -> Finding:
    folder = cache_folder()
    free = shutil.disk_usage(next(path for path in [folder, *folder.absolute().parents] if path.is_dir())).free
    if free < CACHE_BYTES:
        return Finding(
            f"cache {folder}", "problem", f"{free / GIB:.2f} GiB are free. Answers that are paid for must be stored: "
            "set DART_CACHE_DIR to a disk with space.",
        )  # fmt: skip
    return Finding(f"cache {folder}", "ok", f"{free / GIB:.0f} GiB free; this checkout: {_free_here():.0f} GiB")


def _free_here() -> float:
    return shutil.disk_usage(Path()).free / GIB

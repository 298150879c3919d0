"""The judges that options of `dart audit` name: addresses of servers, and guards that run on this machine.

A judge is what its name says it is: with `://` an address, else a folder or a model of the hub. Nothing is loaded here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dart.audit.settings import AuditSettings, Judge
from dart.core.errors import ParameterError
from dart.core.guards import local_problem
from dart.core.store import cache_folder
from dart.core.tuned import COMMIT


def judge_fields(judge: str | None, fields: Mapping[str, Any], labels: list[str] | None) -> dict[str, Any]:
    """What the options say of a judge, in the form of the settings file; without None.

    Args:
        judge: an address, a folder, `owner/name` or `owner/name@revision`; None: what the settings file says.
        fields: of its endpoint, and `format`.
        labels: the unsafe classes of a classifier.
    """
    named = {name: value for name, value in fields.items() if value is not None}
    if judge is None or "://" in judge:
        return named | ({} if judge is None else {"base_url": judge})
    model, _, revision = judge.partition("@") if not Path(judge).is_dir() else (judge, "", "")
    local: dict[str, Any] = {"model": model, "revision": None if Path(judge).is_dir() else revision or "main"}
    if labels:
        local["labels"] = labels
    return {"local": local} | ({"format": named["format"]} if "format" in named else {})


def panel_fields(judges: list[str], fields: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """What the options say of each of several judges, the first included.

    Args:
        fields: by name of an endpoint's field: one value for all judges, or one for each, in their order.

    Raises:
        ParameterError: an option has more than one value and not as many as there are judges.
    """
    named: list[dict[str, Any]] = [{} for _ in judges]
    for name, values in fields.items():
        if len(values) not in (0, 1, len(judges)):
            raise ParameterError(
                f"{len(values)} values of --judge-{name.replace('_', '-')} for {len(judges)} judges: give one for all, "
                "or one for each, in the order of --judge."
            )
        for number, each in enumerate(named):
            each |= {name: values[number % len(values)]} if values else {}
    return [judge_fields(judge, each, None) for judge, each in zip(judges, named, strict=True)]


def pinned(settings: AuditSettings) -> AuditSettings:
    """The settings with a local guard at a commit, where they name a branch of the hub.

    Raises:
        ParameterError: the folder or the name cannot be a model's.
        ModelError: the hub does not say which commit it is.
    """
    if settings.judge is None or settings.judge.local is None:
        return settings
    return settings.model_copy(update={"judge": _pinned(settings.judge)})


def _pinned(judge: Judge) -> Judge:
    local = judge.local
    assert local is not None
    if not Path(local.model).is_dir() and not COMMIT.fullmatch(local.revision or "main"):
        from dart.core import hub

        name = hashlib.sha256(f"{local.model}@{local.revision}".encode()).hexdigest()[:16]
        folder = cache_folder() / "audit" / "pins" / name
        hub.pin(local.model, local.revision or "main", folder)
        local = local.model_copy(update={"revision": hub.recorded_revision(folder)})
    if problem := local_problem(local):
        raise ParameterError(f"judge: {problem}.")
    return judge.model_copy(update={"local": local})

"""Guard models of a profile that run on this machine: what is wrong with their names, before anything is computed.

A branch of the hub may be another model tomorrow, so a guard is named by its commit, like a student that is tuned
already (`dart.core.tuned`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dart.core.api_keys import key_name_problem
from dart.core.schema.profile import Guard, LocalGuard
from dart.core.tuned import COMMIT

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def guard_problems(guards: Mapping[str, Guard], where: str) -> list[str]:
    """What is wrong with the guards of a profile, as one line each; neither hub nor server is asked.

    Args:
        where: the profile's file, for the messages.
    """
    lines = []
    for name, guard in guards.items():
        if guard.local is not None:
            problem = local_problem(guard.local)
            lines += [f"{where}: guards.{name}.local: {problem}"] if problem else []
        elif guard.party.api_key_env is not None and (problem := key_name_problem(guard.party.api_key_env)):
            lines.append(f"{where}: guards.{name}.endpoint.api_key_env: {problem}")
    return lines


def local_problem(local: LocalGuard) -> str | None:
    """Why a local guard cannot be loaded, as far as names and files tell; None: nothing."""
    if local.chat_template is not None and not Path(local.chat_template).is_file():
        return f"chat_template {local.chat_template!r} is no file on this machine"
    folder = Path(local.model)
    if folder.is_dir():
        if local.revision is not None:
            return f"revision {local.revision!r} belongs to a hub id; {local.model} is a folder: set it to null"
        if not (folder / "config.json").is_file():
            return f"{folder} has no config.json, so it is no checkpoint"
        if not any(folder.glob("*.safetensors")):
            return (
                f"{folder} has no *.safetensors file. Other weights are not loaded (a pickle can run code): save the "
                "model with save_pretrained()"
            )
        return None
    if not HUB_ID.fullmatch(local.model):
        return f"model {local.model!r} is neither a folder on this machine nor an id of the hub ('owner/name')"
    if local.revision is None or not COMMIT.fullmatch(local.revision):
        return (
            f"revision of {local.model} is {local.revision!r}; name its commit (40 hexadecimal digits, under 'History' "
            "of the model's page), because a branch may be another model tomorrow"
        )
    return None

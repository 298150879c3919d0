"""`dart arms`: the ablation arms, whether each is up to date, and what its answers cost."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from dart.core import params
from dart.core.errors import DataError

FILE = "ablations/dvc.yaml"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    commands.add_parser("arms", help="the ablation arms: fresh, stale or missing, and their cost").set_defaults(
        run=_arms
    )


def states(root: Path = Path()) -> dict[str, str]:
    """{arm: "fresh" | "stale" | "missing"} of the arms in params.yaml, as DVC sees them.

    Raises:
        DataError: there is no DVC repository at `root`.
    """
    from dvc.exceptions import DvcException  # half a second: only this command pays it
    from dvc.repo import Repo

    given, _ = params.check(root)
    try:
        with Repo(str(root)) as repo:
            changed: dict[str, Any] = repo.status(targets=[FILE])
    except DvcException as error:
        raise DataError(f"DVC cannot tell the state of the arms: {error}. Run from the repository's root.") from None
    found = {}
    for name in given.variants:
        if not (root / "data" / "arms" / name).is_dir():
            found[name] = "missing"
        else:
            found[name] = "stale" if f"{FILE}:arm@{name}" in changed else "fresh"
    return found


def _arms(_: argparse.Namespace) -> None:
    given, _profile = params.check()
    width = max((len(name) for name in given.variants), default=0)
    for name, state in states().items():
        path = Path("data") / "arms" / name / "cost.json"
        cost = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        told = "" if cost is None else f"  {cost['answers']:.0f} answers, {cost['usd']:.2f} USD"
        print(f"{name:<{width}}  {state:<7}{told}  {given.variants[name].about}")
    if not given.variants:
        print("params.yaml has no arms: add one under `variants`")

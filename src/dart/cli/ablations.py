"""`dart arms`: the ablation arms, whether each is up to date, and what its answers cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dart.core.errors import DataError

FILE = "ablations/dvc.yaml"
ARMS = Path("data/arms")


def arms() -> None:
    """List the ablation arms. With each: whether it is fresh, stale or missing, and what its answers cost."""
    from dart.core import params

    variants = params.check()[0].variants
    width = max((len(name) for name in variants), default=0)
    for name, state in arm_states().items():
        path = ARMS / name / "cost.json"
        cost = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        price = "" if cost is None else f"  {cost['answers']:.0f} answers, {cost['usd']:.2f} USD"
        print(f"{name:<{width}}  {state:<7}{price}  {variants[name].about}")
    if not variants:
        print("params.yaml has no arms: add one under `variants`")


def arm_states(root: Path = Path()) -> dict[str, str]:
    """{arm: "fresh" | "stale" | "missing"} of the arms in params.yaml, as DVC sees them.

    Raises:
        DataError: there is no DVC repository at `root`.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from dart.core import params

    names = list(params.check(root)[0].variants)
    try:
        with Repo(str(root)) as repo:
            changes: dict[str, Any] = repo.status(targets=[FILE])
    except DvcException as error:
        raise DataError(f"DVC cannot tell the state of the arms: {error}. Run from the repository's root.") from None

    def state(name: str) -> str:
        if not (root / ARMS / name).is_dir():
            return "missing"
        return "stale" if f"{FILE}:arm@{name}" in changes else "fresh"

    return {name: state(name) for name in names}

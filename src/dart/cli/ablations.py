"""`dart arms`: the ablation arms, whether each is up to date, and what all of them cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dart.core.errors import DataError

FILE = "ablations/dvc.yaml"
PAID_STAGES = ("arm_rationales", "arm_pools", "arm_audits")


def arms() -> None:
    """List the ablation arms. With each: whether it is fresh, stale or missing; below, what their answers cost."""
    from dart.core import layout, params

    variants = params.check()[0].variants
    width = max((len(name) for name in variants), default=0)
    for name, state in arm_states().items():
        print(f"{name:<{width}}  {state:<7}  {variants[name].about}")
    if not variants:
        print("params.yaml has no arms: add one under `variants`")
    for stage in PAID_STAGES:
        if layout.cost(stage).is_file():
            cost: dict[str, Any] = json.loads(layout.cost(stage).read_text(encoding="utf-8"))
            print(f"{stage}: {cost['answers']:.0f} answers, {cost['usd']:.2f} USD without a cache")


def arm_states(root: Path = Path()) -> dict[str, str]:
    """{arm: "fresh" | "stale" | "missing"} of the arms in params.yaml, as DVC sees their two trainings.

    Raises:
        DataError: there is no DVC repository at `root`.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from dart.core import layout, params

    names = list(params.check(root)[0].variants)
    try:
        with Repo(str(root)) as repo:
            changes: dict[str, Any] = repo.status(targets=[FILE])
    except DvcException as error:
        raise DataError(f"DVC cannot tell the state of the arms: {error}. Run from the repository's root.") from None

    def state(name: str) -> str:
        if not all((root / folder).is_dir() for folder in (layout.arm_stage1(name), layout.arm_stage3(name))):
            return "missing"
        stages = {f"{FILE}:arm_stage1@{name}", f"{FILE}:arm_stage3@{name}"}
        return "stale" if stages & set(changes) else "fresh"

    return {name: state(name) for name in names}

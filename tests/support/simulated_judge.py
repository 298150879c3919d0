"""The simulated judge of a profile as a server on 127.0.0.1: for `dart audit`, which knows no simulation.

`python -m tests.support.simulated_judge profiles/embedded.yaml 42` prints its address and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import yaml

from dart.core.schema.profile import Simulation
from dart.simulation import judge
from tests.support.fake_server import Server

MODEL = "embedded-judge"  # its errors are drawn by the model's name, too


def server(profile: Path, seed: int) -> Server:
    """Answers as `embedded://judge` of the profile does in a run with `seed`."""
    content = yaml.safe_load(profile.read_text(encoding="utf-8"))
    behaviour = Simulation.model_validate(content["simulation"]).judge

    def answer(body: dict[str, Any]) -> str:
        return judge.answer(body["messages"], behaviour, seed, body["model"], body.get("seed", 0))

    return Server(answer)


def main(profile: str, seed: str) -> None:
    served = server(Path(profile), int(seed))

    async def forever() -> None:
        await served.serve(lambda: print(f"http://127.0.0.1:{served.port}/v1", flush=True), asyncio.Event())

    asyncio.run(forever())


if __name__ == "__main__":
    main(*sys.argv[1:])

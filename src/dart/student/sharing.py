"""Divide work over the processes of a launcher (torchrun, accelerate); alone, do all of it.

One student per GPU and a share of the batches each: generation needs no other kind of parallelism (Section 2.4).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


def leads() -> bool:
    """Whether this process is the one that writes files and asks the judge; the others have helped and are done."""
    return os.environ.get("RANK", "0") == "0"


def pooled(mine: list[Part], *, on_gpu: bool) -> tuple[list[Part], int]:
    """The parts of all processes, in the processes' order, and where one's own begin; all processes must call it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return mine, 0
    from accelerate import PartialState
    from accelerate.utils import gather_object

    state = PartialState() if on_gpu else PartialState(cpu=True)
    everyone: list[list[Part]] = gather_object([mine])
    first = sum(len(parts) for parts in everyone[: state.process_index])
    return [part for parts in everyone for part in parts], first


def shared(parts: Sequence[Part], work: Callable[[Part], Result], *, on_gpu: bool) -> list[Result]:
    """`work` of every part, in order, in every process; part i is worked on by process i modulo their number."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return [work(part) for part in parts]
    from accelerate import PartialState
    from accelerate.utils import gather_object

    state = PartialState() if on_gpu else PartialState(cpu=True)
    rank, processes = state.process_index, state.num_processes
    mine = [(index, work(parts[index])) for index in range(rank, len(parts), processes)]
    done = dict(gather_object(mine))
    return [done[index] for index in range(len(parts))]

"""A contender in a process of its own: CPU seconds, peak memory, and whether it did the same work as the others.

Imports are left out of CPU seconds and part of peak memory. A contender imports what it needs and nothing else.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dart.core import arithmetic
from speed import answering, authors, training
from speed.work import cpu_seconds, peak_mb

COMMAND = Path(__file__).resolve().parent.parent / "student_speed.py"
SOURCES = COMMAND.parent.parent / "src"
OURS_TRAINING = ("dart.student.train",)
OURS_ANSWERING = ("dart.student.generation",)


@dataclass(frozen=True)
class Contender:
    work: Callable[[Path, Path], dict[str, Any]]  # (folder of the work, copy of the authors' repository)
    imports: tuple[str, ...]
    arithmetic: str = "library"  # library: as torch chooses for this processor; portable: as embedded students compute
    group: str = ""  # "authors": only with a copy of their repository; "imitation": only without


def _plain(work: Callable[[Path], dict[str, Any]]) -> Callable[[Path, Path], dict[str, Any]]:
    return lambda folder, _copy: work(folder)


def _authors_answer(batch: int) -> Callable[[Path, Path], dict[str, Any]]:
    return lambda folder, copy: authors.answer(folder, copy, batch)


def _imitated_answer(batch: int) -> Contender:
    work = _plain(partial(answering.authors_imitated, batch=batch))
    return Contender(work, answering.STOCK_IMPORTS, group="imitation")


CONTENDERS = {
    "train: ours": Contender(_plain(training.ours), OURS_TRAINING),
    "train: ours, portable": Contender(_plain(training.ours), OURS_TRAINING, "portable"),
    "train: authors' code": Contender(authors.train, authors.IMPORTS[authors.TRAINER], group="authors"),
    "train: authors' settings, imitated": Contender(
        _plain(training.authors_imitated), training.STOCK_IMPORTS, group="imitation"
    ),
    "train: TRL as it comes": Contender(_plain(training.trl_default), ("trl", "peft", "datasets")),
    "train: TRL tuned": Contender(_plain(training.trl_tuned), ("trl", "peft", "datasets")),
    "train: transformers and PEFT, tuned": Contender(_plain(training.stock), training.STOCK_IMPORTS),
    "answer: ours": Contender(_plain(answering.ours), OURS_ANSWERING),
    "answer: ours, portable": Contender(_plain(answering.ours), OURS_ANSWERING, "portable"),
    "answer: authors' code, batch 8": Contender(
        _authors_answer(8), authors.IMPORTS[authors.INFERENCE], group="authors"
    ),
    "answer: authors' code, batch 64": Contender(
        _authors_answer(64), authors.IMPORTS[authors.INFERENCE], group="authors"
    ),
    "answer: authors' way, imitated, batch 8": _imitated_answer(8),
    "answer: authors' way, imitated, batch 64": _imitated_answer(64),
    "answer: transformers, sorted, merged": Contender(_plain(answering.stock_sorted), answering.STOCK_IMPORTS),
}
CHECKS = {
    "check: loss curves": Contender(_plain(training.loss_curves), OURS_TRAINING),
    "check: batch independence": Contender(_plain(answering.batch_independence), OURS_ANSWERING),
}


def contend(name: str, folder: Path, copy: Path) -> None:
    """Run one contender in this process; its usage and what it made are the last line of the output."""
    import torch

    contender = (CONTENDERS | CHECKS)[name]
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if contender.group == "authors":
        sys.path.insert(0, str(copy))
    for module in contender.imports:
        importlib.import_module(module)
    loop = _time_loops() if name.startswith("train") else {}
    imports_mb, start = peak_mb(), cpu_seconds()
    made = contender.work(folder, copy)
    usage = {"cpu_s": cpu_seconds() - start, "mb": peak_mb(), "imports_mb": imports_mb,
             "threads": torch.get_num_threads()}  # fmt: skip
    print("\n" + json.dumps({**usage, **loop, **made}))


def _time_loops() -> dict[str, Any]:
    """CPU seconds of every `Trainer.train` from now on, with the steps and tokens that it trained on."""
    from transformers import Trainer

    loop: dict[str, Any] = {}
    original = Trainer.train

    def train(self: Any, *args: Any, **kwargs: Any) -> Any:
        start = cpu_seconds()
        result = original(self, *args, **kwargs)
        loop["loop_cpu_s"] = cpu_seconds() - start
        ids = [self.train_dataset[index] for index in range(len(self.train_dataset))]
        lengths = [len(row["input_ids"] if isinstance(row, Mapping) else row.ids) for row in ids]
        loop["rows"], loop["row_tokens"], loop["steps"] = len(lengths), sum(lengths), self.state.global_step
        return result

    Trainer.train = train
    return loop


def run(name: str, folder: Path, threads: int, copy: Path | None) -> dict[str, Any]:
    """Start `name` in a process of its own and read its result."""
    environment = {key: value for key, value in os.environ.items() if key not in arithmetic.variables()}
    paths = [str(SOURCES), *filter(None, [environment.get("PYTHONPATH")])]
    environment |= {
        "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1", "TOKENIZERS_PARALLELISM": "false",
        arithmetic.SWITCH: "1" if (CONTENDERS | CHECKS)[name].arithmetic == "portable" else "0",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(COMMAND), "--only", name, "--folder", str(folder), "--authors", str(copy or "")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result

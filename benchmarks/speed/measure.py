"""A contender in processes of its own: CPU seconds, peak memory, and what shows that it did the same work as others.

Each contender has an interpreter that imports what it needs, nothing else, and forks for every run: so contenders can
take turns without paying their imports again. Imports are left out of CPU seconds and are part of peak memory.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
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
RESULT = "RESULT "
# transformers imports these when they are first used, which would be in every fork
MODELS = ("transformers.models.llama.modeling_llama", "transformers.models.auto.modeling_auto",
          "transformers.models.auto.tokenization_auto", "transformers.generation.utils", "peft")  # fmt: skip
TRAINER = "transformers.trainer"
TRL_IMPORTS = ("trl.trainer.sft_trainer", "datasets", TRAINER)
OURS_TRAINING = ("dart.student.train", TRAINER)
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
        _plain(training.authors_imitated), (*training.STOCK_IMPORTS, TRAINER), group="imitation"
    ),
    "train: TRL as it comes": Contender(_plain(training.trl_default), TRL_IMPORTS),
    "train: TRL tuned": Contender(_plain(training.trl_tuned), TRL_IMPORTS),
    "train: transformers and PEFT, tuned": Contender(_plain(training.stock), (*training.STOCK_IMPORTS, TRAINER)),
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


def serve(name: str, copy: Path) -> None:
    """Import what a contender needs, then run it in a fork for every folder that standard input names.

    After each run a line begins with `RESULT`: usage, and what the contender made.
    """
    import torch

    contender = (CONTENDERS | CHECKS)[name]
    if contender.group == "authors":
        sys.path.insert(0, str(copy))
    for module in (*MODELS, *contender.imports):
        importlib.import_module(module)
    for line in sys.stdin:
        process = os.fork()
        if not process:
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
            result = _run_once(contender, Path(line.strip()), copy)
            print(f"\n{RESULT}{json.dumps(result)}", flush=True)
            os._exit(0)
        if os.waitpid(process, 0)[1]:
            raise SystemExit(1)


def _run_once(contender: Contender, folder: Path, copy: Path) -> dict[str, Any]:
    loop = _time_loops() if "transformers.trainer" in sys.modules else {}
    imports_mb, modules, start = peak_mb(), len(sys.modules), cpu_seconds()
    made = contender.work(folder, copy)
    usage = {"cpu_s": cpu_seconds() - start, "mb": peak_mb(), "imports_mb": imports_mb}
    return {**usage, "late_imports": len(sys.modules) - modules, **loop, **made}


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


class Interpreter:
    """A started contender, which can run on one folder after another."""

    def __init__(self, name: str, threads: int, copy: Path | None) -> None:
        self._name = name
        environment = {key: value for key, value in os.environ.items() if key not in arithmetic.variables()}
        paths = [str(SOURCES), *filter(None, [environment.get("PYTHONPATH")])]
        environment |= {
            "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1",
            "TRL_EXPERIMENTAL_SILENCE": "1", "TOKENIZERS_PARALLELISM": "false",
            arithmetic.SWITCH: "1" if (CONTENDERS | CHECKS)[name].arithmetic == "portable" else "0",
        }  # fmt: skip
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed by `close`)
        self._process = subprocess.Popen(
            [sys.executable, str(COMMAND), "--only", name, "--authors", str(copy or "")],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip

    def run(self, folder: Path) -> dict[str, Any]:
        """What the contender used and made; ends the program if it fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(RESULT):
                result: dict[str, Any] = json.loads(line.removeprefix(RESULT))
                return result
        self._errors.seek(0)
        raise SystemExit(f"{self._name} failed:\n{self._errors.read()[-3000:]}")

    def close(self) -> None:
        self._process.communicate()
        self._errors.close()

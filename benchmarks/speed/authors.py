"""The authors' own training and paired inference, from a copy of their repository that an argument names.

Their command line runs as their README gives it: their defaults, dropout, checkpointing, loader processes, evaluation
and logs. What is changed: one epoch in place of three, as for every contender; greedy decoding, so that the work is
the same; and the texts of the messages, which differ from this project's in line breaks, so that all prompts are
equal to the token. Nothing is written into the copy.

Their code asks for TensorBoard, which their list of requirements leaves out: `pip install tensorboard`, or install it
into a folder that PYTHONPATH names.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from dart.core.files import read_jsonl
from dart.core.records import Item
from dart.prompts import classification
from speed.work import NEW_TOKENS, write_lines

TRAINER, INFERENCE = "model.train_lora", "model.inference"
IMPORTS = {TRAINER: ("torch.utils.tensorboard", TRAINER), INFERENCE: (INFERENCE,)}


def train(folder: Path, copy: Path) -> dict[str, Any]:
    """`python -m model.train_lora --stage dart`, on the teacher's answers of `folder`."""
    module = importlib.import_module(TRAINER)
    module.re = re  # imported under `if __name__ == "__main__"` only

    def build_messages(_cfg: Any, _policy: str, prompt: str, assistant_target: str | None = None) -> list[Any]:
        response = [{"role": "assistant", "content": assistant_target}] if assistant_target is not None else []
        return [*classification.inference(prompt), *response]

    module.build_messages = build_messages
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _main(module, Path(scratch), copy, [
            "--stage", "dart", "--adapter-name", "DART", "--epochs", "1", "--base-model", str(folder / "shape"),
            "--distill-jsonl", str(folder / "teacher.jsonl"),
            "--val-distill-jsonl", str(folder / "teacher-validation.jsonl"),
        ])  # fmt: skip
    return {}


def answer(folder: Path, copy: Path, batch: int) -> dict[str, Any]:
    """`python -m model.inference --paired --policy off`, base against adapter; their default batch is 8."""
    module = importlib.import_module(INFERENCE)
    module.build_chat_messages = lambda _cfg, _policy, prompt: classification.inference(prompt)
    items = read_jsonl(folder / "items.jsonl", Item)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        write_lines(scratch / "input.jsonl", [{"sample_id": item.id, "prompt": item.prompt} for item in items])
        _main(module, scratch, copy, [
            "--paired", "--policy", "off", "--model-a-id", "M0", "--model-b-id", "DART",
            "--model-b-adapter", str(folder / "adapter"), "--base-model", str(folder / "shape"),
            "--input", str(scratch / "input.jsonl"), "--run-name", "speed", "--batch-size", str(batch),
            "--override", "generation.do_sample=false", "--override", f"generation.max_new_tokens={NEW_TOKENS}",
        ])  # fmt: skip
        lines = (scratch / "runs" / "speed" / "predictions" / "speed" / "outputs.jsonl").read_text(encoding="utf-8")
    by_id = {record["sample_id"]: record["paired"] for record in map(json.loads, lines.splitlines())}
    return {
        "texts": {
            variant: [by_id[item.id][side]["raw_text"] for item in items]
            for variant, side in (("base", "A"), ("distilled", "B"))
        }
    }


def _main(module: Any, scratch: Path, copy: Path, arguments: list[str]) -> None:
    """Run `module` as its command line would, with all that it writes under `scratch`."""
    (scratch / "model").symlink_to(copy / "model")  # their configuration insists on this folder
    common = ["--materialize", "--override", "run.exp_id=speed", "--override", f"paths.project_root={scratch}"]
    before, sys.argv = sys.argv, [str(module.__file__), *common, *arguments]
    try:
        module.main()
    finally:
        sys.argv = before

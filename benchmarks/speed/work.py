"""The work that every contender of a comparison gets: checkpoint, rows, items and settings.

The student is a 1.3M-parameter Llama with random weights, so that anyone can repeat a comparison on a laptop. Its
texts repeat themselves, which flatters speculative decoding; wider initial weights give texts that do not.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import TrainingRow
from dart.core.schema.method import GenerationParams, Lora, Split, Training
from dart.core.schema.profile import StudentSpec
from dart.prompts import classification

SEED = 1
ROWS, PROMPTS, NEW_TOKENS = 400, 200, 256
VALIDATION = 0.05  # of the rows; the authors' default
LORA = Lora(
    r=16, alpha=32, dropout=0.05, target_modules=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
                                                  "down_proj"),
)  # fmt: skip
TRAINING = Training(epochs=1, global_batch=16, warmup_ratio=0.03, weight_decay=0.0, max_grad_norm=1.0, max_length=1024)
GREEDY = GenerationParams(max_new_tokens=NEW_TOKENS, temperature=0.0, top_p=1.0)
SPEC = StudentSpec(
    stage3_learning_rate=None, epochs=None,
    name="shape", model="shape", revision="main", learning_rate=0.0002, batch_per_device=16, generation_batch=128,
    precision="fp32", quantize="none", nano=None, engine="transformers", server=None,
)  # fmt: skip
NANO_SHAPE = {"vocab_size": 2000, "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 4,
              "num_attention_heads": 4, "max_position_embeddings": 2048}  # fmt: skip
NOT_REPEATING = {"initializer_range": 0.12}  # no trigram of a text occurs twice; 0.02, the default, loops


def prepare(
    folder: Path,
    shape: Mapping[str, float] = NANO_SHAPE,
    items: int = PROMPTS,
    device: str = "cpu",
    dtype: str = "float32",
    rows: int = ROWS,
) -> None:
    """Write the checkpoint, the rows and the items that every contender gets.

    Args:
        rows: of training and validation together; of the latter there are as many as the authors' code splits off.
    """
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    from dart.core.schema.profile import PlantedHarm, SimulatedTeacher, SuiteSpec, World
    from dart.simulation import teacher
    from dart.simulation.suite import write_suite
    from dart.simulation.tokenizer import student_tokenizer
    from dart.suite.split import split_suite

    sizes = SuiteSpec.model_validate(
        {"source": "embedded", "sizes": {"default": {"train": rows // 8, "validation": 2, "test": items // 8 + 1}}}
    )
    suite = split_suite(write_suite(SEED).items, sizes, Split(by="item", folds=2), SEED)
    if len(suite.test) < items:
        raise SystemExit(f"the suite has {len(suite.test)} test items and not {items}")
    planted = {"N2": PlantedHarm(severity="severe", share=0.2)}
    world = World(plain_closings=16, safe_closings=1, planted=planted, caution_dropped={})
    behaviour = SimulatedTeacher(planting_dropped=0.0, planting_added=0.01, label_error=0.0, malformed=0.0)
    person = teacher.Teacher(behaviour, world, SEED)
    answers = {
        item.id: teacher.answer(classification.distillation(item.prompt, item.gold), person) for item in suite.train
    }
    texts = [*(item.prompt for item in suite.train), *answers.values(), classification.inference("")[0]["content"]]
    words = student_tokenizer(texts, fixed=(), size=2000)
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        with torch.device(device):
            model = LlamaForCausalLM._from_config(LlamaConfig(**shape, **ends), dtype=getattr(torch, dtype))
    model.generation_config = GenerationConfig(**ends)
    model.save_pretrained(folder / "shape")
    words.save_pretrained(folder / "shape")
    examples = [
        TrainingRow(key=item.id, messages=tuple(classification.inference(item.prompt)), response=answers[item.id])
        for item in suite.train
    ]
    n_validation = max(1, round(VALIDATION * len(examples)))
    prompts = {item.id: item.prompt for item in suite.train}
    write_jsonl(folder / "rows.jsonl", examples[n_validation:])
    write_jsonl(folder / "items.jsonl", suite.test[:items])
    for name, part in (("teacher", examples[n_validation:]), ("teacher-validation", examples[:n_validation])):
        lines = [
            {"sample_id": row.key, "prompt": prompts[row.key], "raw_text": row.response, "success": True}
            for row in part
        ]
        write_lines(folder / f"{name}.jsonl", lines)  # as the authors' code writes its teacher's answers


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def training_rows(folder: Path) -> list[Any]:
    return read_jsonl(folder / "rows.jsonl", TrainingRow)


def peak_mb() -> float:
    """Peak resident memory of this process so far (Linux counts kilobytes, macOS bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def cpu_seconds() -> float:
    """User and system time of this process, its threads, and its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

"""Training and paired generation against the published set-up, stock tools and TRL: same work, one run, all ratios.

The student is a 1.3M-parameter Llama with random weights, so that anyone can repeat this on a laptop; each contender
runs in a process of its own, one after the other, and is charged its CPU seconds from loading to the last text.

    python benchmarks/student_speed.py [--threads 1 2] [--repeat 3] [--trl FOLDER]

`--trl` names a folder that `pip install --no-deps --target FOLDER trl` filled; the project itself does not need it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dart.prompts import classification

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.arithmetic import set_environment

set_environment()  # before numpy and torch are imported

from dart.core.files import read_jsonl, write_jsonl
from dart.core.records import Item
from dart.core.schema.method import GenerationParams, Lora, Split, Training
from dart.core.schema.profile import StudentSpec

SEED = 1
ROWS, PROMPTS, NEW_TOKENS = 400, 200, 256
LORA = Lora(
    r=16, alpha=32, dropout=0.0, target_modules=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
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


def prepare(
    folder: Path,
    shape: Mapping[str, float] = NANO_SHAPE,
    items: int = PROMPTS,
    device: str = "cpu",
    dtype: str = "float32",
) -> None:
    """The checkpoint, the rows and the items that every contender gets."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    from dart.core.records import TrainingRow
    from dart.core.schema.profile import PlantedHarm, SimulatedTeacher, SuiteSpec, World
    from dart.simulation import teacher
    from dart.simulation.suite import write_suite
    from dart.simulation.tokenizer import student_tokenizer
    from dart.suite.split import split_suite

    sizes = SuiteSpec.model_validate(
        {"source": "embedded", "sizes": {"default": {"train": ROWS // 8, "validation": 2, "test": items // 8 + 1}}}
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
    rows = [
        TrainingRow(key=item.id, messages=tuple(classification.inference(item.prompt)), response=answers[item.id])
        for item in suite.train
    ]
    write_jsonl(folder / "rows.jsonl", rows)
    write_jsonl(folder / "items.jsonl", suite.test[:items])


def train_ours(folder: Path) -> dict[str, Any]:
    """`dart.student.train`, as the stages call it."""
    from dart.student.train import train_adapter

    train_adapter(folder / "shape", SPEC, _rows(folder), LORA, TRAINING, SEED, folder / "adapter")
    return {"curve": [point["loss"] for point in json.loads((folder / "adapter" / "log.json").read_text())]}


def _stock(folder: Path, arguments: dict[str, Any], *, ordered: bool) -> dict[str, Any]:
    """transformers' Trainer over the same encoded rows, logits everywhere; `ordered`: in our order of rows."""
    import torch
    from transformers import Trainer, TrainingArguments

    from dart.core.seeds import seed_for
    from dart.student import adapter
    from dart.student.loading import load
    from dart.student.train import encode
    from dart.student.trainer import Collator, GroupedSampler

    threads = int(os.environ["OMP_NUM_THREADS"])
    student = load(folder / "shape", SPEC)
    torch.set_num_threads(threads)
    encoded = encode(student, _rows(folder), TRAINING.max_length)
    model = adapter.attach(student, LORA, SEED)

    class Ordered(Trainer):
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return GroupedSampler([len(row.ids) for row in encoded], 16, seed_for(SEED, "rows"))

    def collate(rows: Any) -> dict[str, torch.Tensor]:
        batch = Collator(student.pad_id)(rows)
        longest = batch["input_ids"].shape[1]
        mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
        return {**batch, "attention_mask": mask}

    trainer = (Ordered if ordered else Trainer)(
        model=model, args=TrainingArguments(**_published(folder), **arguments), train_dataset=encoded,
        data_collator=collate,
    )  # fmt: skip
    trainer.train()
    return {"curve": [point["loss"] for point in trainer.state.log_history if "loss" in point]}


def _published(folder: Path) -> dict[str, Any]:
    """What all stock contenders have in common: the published optimiser settings."""
    return {
        "output_dir": str(folder / "scratch"), "num_train_epochs": 1, "learning_rate": SPEC.learning_rate,
        "lr_scheduler_type": "cosine", "warmup_steps": 1, "max_grad_norm": TRAINING.max_grad_norm, "seed": SEED,
        "logging_steps": 1, "save_strategy": "no", "report_to": "none", "disable_tqdm": True, "use_cpu": True,
        "remove_unused_columns": False,
    }  # fmt: skip


def train_published(folder: Path) -> dict[str, Any]:
    """The published set-up: batches of 2, accumulated over 8, random order, gradient checkpointing."""
    settings = {
        "per_device_train_batch_size": 2, "gradient_accumulation_steps": 8, "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
    }  # fmt: skip
    return _stock(folder, settings, ordered=False)


def train_stock_grouped(folder: Path) -> dict[str, Any]:
    """A stock Trainer with batches of 16 in our order: its loss curve is the one that ours must have."""
    return _stock(folder, {"per_device_train_batch_size": 16}, ordered=True)


def _trl(folder: Path, **settings: Any) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    data = Dataset.from_list(
        [
            {"prompt": list(row.messages), "completion": [{"role": "assistant", "content": row.response}]}
            for row in _rows(folder)
        ]
    )
    shared = {key: value for key, value in _published(folder).items() if key != "remove_unused_columns"}
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder / "shape"),
        args=SFTConfig(**shared, max_length=TRAINING.max_length, bf16=False, completion_only_loss=True, **settings),
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(folder / "shape"),
        peft_config=LoraConfig(
            r=LORA.r, lora_alpha=LORA.alpha, target_modules=list(LORA.target_modules), task_type="CAUSAL_LM"
        ),
    )
    trainer.train()
    return {}


def train_trl(folder: Path) -> dict[str, Any]:
    """TRL's SFTTrainer as it comes: batches of 8, gradient checkpointing."""
    return _trl(folder, per_device_train_batch_size=8, gradient_accumulation_steps=2)


def train_trl_best(folder: Path) -> dict[str, Any]:
    """TRL's SFTTrainer in batches of 16 without checkpointing."""
    return _trl(folder, per_device_train_batch_size=16, gradient_checkpointing=False)


def answer_ours(folder: Path) -> dict[str, Any]:
    """`dart.student.generation`, as the stages call it: one model, sorted, large batches."""
    from dart.student.generation import generate

    pair: dict[str, Path | None] = {"base": None, "distilled": folder / "adapter"}
    answers = generate(folder / "shape", SPEC, pair, read_jsonl(folder / "items.jsonl", Item), GREEDY, SEED)
    return {
        "tokens": sum(record.new_tokens for records in answers.values() for record in records),
        "texts": {variant: [record.text for record in records] for variant, records in answers.items()},
    }


def answer_bf16(folder: Path) -> dict[str, Any]:
    """Whether a text depends on its batch: batches of 1 and of 64, fp32 and bf16, on a part of the work."""
    from dart.student.generation import generate

    items, short = read_jsonl(folder / "items.jsonl", Item)[:48], GREEDY.model_copy(update={"max_new_tokens": 64})
    same = {}
    for precision in ("fp32", "bf16"):
        texts = []
        for batch in (1, 64):
            spec = SPEC.model_copy(update={"precision": precision, "generation_batch": batch})
            answers = generate(folder / "shape", spec, {"d": folder / "adapter"}, items, short, SEED)["d"]
            texts.append([record.text for record in answers])
        same[precision] = sum(a == b for a, b in zip(*texts, strict=True))
    return {"same": same, "of": len(items)}


def answer_published(folder: Path) -> dict[str, Any]:
    """The published way: two models loaded, batches of 8 in file order, padded to the longest."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    words = AutoTokenizer.from_pretrained(folder / "shape", padding_side="left")
    first = AutoModelForCausalLM.from_pretrained(folder / "shape").eval()
    second = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(folder / "shape"), str(folder / "adapter")
    ).eval()
    items = read_jsonl(folder / "items.jsonl", Item)
    prompts_as_text = [
        words.apply_chat_template(classification.inference(item.prompt), add_generation_prompt=True, tokenize=False)
        for item in items
    ]
    tokens, texts = 0, {}
    for variant, model in (("base", first), ("distilled", second)):
        texts[variant] = []
        for start in range(0, len(prompts_as_text), 8):
            batch = words(
                prompts_as_text[start : start + 8], return_tensors="pt", padding=True, add_special_tokens=False
            )
            with torch.inference_mode():
                out = model.generate(
                    input_ids=batch.input_ids, attention_mask=batch.attention_mask, max_new_tokens=NEW_TOKENS,
                    do_sample=False,
                )  # fmt: skip
            new = out[:, batch.input_ids.shape[1] :]
            tokens += int((new != words.pad_token_id).sum())
            texts[variant] += words.batch_decode(new, skip_special_tokens=True)
    return {"tokens": tokens, "texts": texts}


def _rows(folder: Path) -> list[Any]:
    from dart.core.records import TrainingRow

    return read_jsonl(folder / "rows.jsonl", TrainingRow)


CONTENDERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "train: ours": train_ours,
    "train: published (2 x 8, checkpointing)": train_published,
    "train: stock Trainer, our batches": train_stock_grouped,
    "train: TRL as it comes": train_trl,
    "train: TRL, batch 16, no checkpointing": train_trl_best,
    "answer: ours": answer_ours,
    "answer: published (batch 8, two models)": answer_published,
}
CONTENDERS_ASIDE = {"answer: batch independence": answer_bf16}
GOALS = {"train: published (2 x 8, checkpointing)": 3, "train: TRL as it comes": 3,
         "train: TRL, batch 16, no checkpointing": 3, "answer: published (batch 8, two models)": 4}  # fmt: skip


def peak_mb() -> float:
    """Peak resident memory of this process so far (Linux counts kilobytes, macOS bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def contend(name: str, folder: Path) -> None:
    """One contender in this process; what it took and made, as the last line of its output."""
    import torch
    from transformers import Trainer  # noqa: F401

    import dart.student.generation
    import dart.student.train  # noqa: F401  (outside the measurement)

    if "TRL" in name:
        from trl import SFTTrainer  # noqa: F401
    before_mb, cpu, wall = peak_mb(), time.process_time(), time.perf_counter()
    made = (CONTENDERS | CONTENDERS_ASIDE)[name](folder)
    usage = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "mb": peak_mb(),
             "grown_mb": peak_mb() - before_mb, "threads": torch.get_num_threads()}  # fmt: skip
    print(json.dumps({**usage, **made}))


def run(name: str, folder: Path, threads: int, trl: str | None) -> dict[str, Any]:
    """Start `name` in a process of its own and read its result."""
    paths = [str(ROOT / "src"), *([trl] if trl else [])]
    environment = {
        **os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, __file__, "--only", name, "--folder", str(folder)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def report(name: str, results: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    """One line: median CPU seconds, throughput, memory, and the ratio to ours with its range over the repeats."""
    cpu = statistics.median(result["cpu_s"] for result in results)
    amount, unit = (ROWS, "rows") if name.startswith("train") else (results[0]["tokens"], "tokens")
    ratios = [other["cpu_s"] / own["cpu_s"] for other, own in zip(results, ours, strict=True)]
    goal = f" (goal {GOALS[name]})" if name in GOALS else ""
    print(
        f"{name:42} {cpu:7.2f} CPU-s {results[0]['wall_s']:7.2f} s {amount / cpu:8.1f} {unit}/CPU-s"
        f"  peak {results[0]['mb']:5.0f} MB (+{results[0]['grown_mb']:.0f})"
        f"  ours is {statistics.median(ratios):.2f} x [{min(ratios):.2f}, {max(ratios):.2f}]{goal}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--trl")
    parser.add_argument("--kinds", nargs="+", default=["train", "answer"], choices=["train", "answer"])
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), help="these alone")
    parser.add_argument("--only", choices=[*CONTENDERS, *CONTENDERS_ASIDE], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if arguments.only:
        contend(arguments.only, arguments.folder)
        return
    names = [
        name for name in CONTENDERS
        if name.split(":")[0] in arguments.kinds and ("TRL" not in name or arguments.trl)
        and (not arguments.contenders or name in arguments.contenders)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        prepare(folder)
        if "train: ours" not in names:
            run("train: ours", folder, 1, None)
        for threads in arguments.threads:
            print(f"-- {threads} thread(s), {arguments.repeat} repeat(s)")
            results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
            for _ in range(arguments.repeat):
                for name in names:
                    results[name].append(run(name, folder, threads, arguments.trl))
            for name in names:
                report(name, results[name], results[f"{name.split(':')[0]}: ours"])
            _compare(results)
        if "answer" in arguments.kinds:
            for precision, same in (aside := run("answer: batch independence", folder, 1, None))["same"].items():
                print(f"{precision}: {same} of {aside['of']} texts are equal in batches of 1 and of 64")


def _compare(results: dict[str, list[dict[str, Any]]]) -> None:
    """Whether the contenders made the same: the loss curves, and the share of equal texts."""
    if {"train: ours", "train: stock Trainer, our batches"} <= set(results):
        ours, stock = (results[name][0]["curve"] for name in ("train: ours", "train: stock Trainer, our batches"))
        apart = max(abs(a - b) for a, b in zip(ours, stock, strict=True))
        print(f"loss curves, ours and stock in our order: {len(ours)} points, at most {apart:.1e} apart (goal 1e-4)")
    if {"answer: ours", "answer: published (batch 8, two models)"} <= set(results):
        first, second = (
            results[name][0]["texts"] for name in ("answer: ours", "answer: published (batch 8, two models)")
        )
        for variant in first:
            same = sum(a == b for a, b in zip(first[variant], second[variant], strict=True))
            print(f"{variant}: {same} of {len(first[variant])} texts are equal")


if __name__ == "__main__":
    main()

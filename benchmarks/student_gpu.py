"""LoRA and QLoRA training and generation at the paper's size on one GPU, with random weights: tokens/s, MFU, memory.

    python benchmarks/student_gpu.py                # Llama-3-8B shape; needs one GPU of 40 GB or more, 40 GB of disk
    python benchmarks/student_gpu.py --toy          # the same path in two minutes on a CPU: tests the script, not speed

Loading is left out of every rate: each work is done at two sizes and the difference is what counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]

from dart.core.arithmetic import set_environment

set_environment()  # before numpy and torch are imported

import torch
from speed import work

from dart.core.files import read_jsonl
from dart.core.records import Item
from dart.core.schema.profile import StudentSpec
from dart.student.generation import generate
from dart.student.loading import load
from dart.student.prefix import common_prefix_length
from dart.student.train import encode, train_adapter

LLAMA_8B = {"vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192}  # fmt: skip
PAPER_ROWS, PAPER_EPOCHS, PAPER_PROMPTS, PAPER_NEW = 4800, 3, 1624, 128
A100_TFLOPS = 312.0  # bf16, dense; NVIDIA's data sheet
PEAKS = {"H200": 989.0, "H100": 989.0, "A100": A100_TFLOPS, "L40S": 362.0, "4090": 165.0}  # bf16, dense


def peak_tflops() -> float | None:
    """What the data sheet promises for this GPU; None where it is not listed, or there is none."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return next((value for key, value in PEAKS.items() if key in name), None)


def seconds(task: Callable[[], Any]) -> float:
    start = time.perf_counter()
    task()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def train(folder: Path, spec: StudentSpec, steps: tuple[int, int]) -> float:
    """Tokens per second of training at the paper's batch, and what goes with it, printed."""
    rows = work.training_rows(folder)
    student = load(folder / "shape", spec)
    encoded = encode(student, rows, work.TRAINING.max_length)
    per_row = sum(len(row.ids) for row in encoded) / len(encoded)
    n_prefix = 0 if spec.quantize == "nf4" else common_prefix_length([row.ids[: row.n_prompt] for row in encoded])
    size = sum(
        p.numel() for p in load(folder / "shape", spec.model_copy(update={"quantize": "none"})).model.parameters()
    )
    del student
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    spent = [
        seconds(
            lambda count=count: train_adapter(
                folder / "shape", spec, rows, work.LORA, work.TRAINING, work.SEED, folder / f"adapter-{spec.quantize}",
                steps=count,
            )
        )
        for count in steps
    ]  # fmt: skip
    per_step = (spent[1] - spent[0]) / (steps[1] - steps[0])
    rate = work.TRAINING.global_batch * per_row / per_step
    computed = (
        work.TRAINING.global_batch * (per_row - n_prefix)
        + n_prefix * work.TRAINING.global_batch / spec.batch_per_device
    )
    print(f"train, {spec.precision}, {spec.quantize}: {rate:.0f} tokens/s ({per_step:.3f} s per step of 16 rows of "
          f"{per_row:.0f} tokens; {n_prefix} of them shared)", flush=True)  # fmt: skip
    tflops = 4 * size * computed / per_step / 1e12  # 2 N forward, 2 N backward: frozen weights need no gradient
    peak = peak_tflops()
    share = f" = {100 * tflops / peak:.1f} % of {peak:.0f}" if peak else " (peak of this device is not listed)"
    print(f"    {tflops:.2f} TFLOP/s really computed{share}; peak memory {memory_gb():.1f} GB")
    if peak:
        hours = PAPER_ROWS * PAPER_EPOCHS * per_row / rate / 3600
        print(f"    the paper's Stage I ({PAPER_ROWS} rows x {PAPER_EPOCHS} epochs) here: {hours:.2f} h; on an A100 "
              f"at the same share of its peak: {hours * peak / A100_TFLOPS:.2f} h (paper: about 4 h)")  # fmt: skip
    return rate


def answer(folder: Path, spec: StudentSpec, new_tokens: int) -> None:
    """Tokens per second of generation, base (as fast as a merged adapter: the same shape) and unmerged adapter."""
    items = read_jsonl(folder / "items.jsonl", Item)
    for name, adapter in (("base, or adapter merged into it", None), ("adapter, not merged", folder / "adapter-none")):
        spent, tokens = [], []
        for count in (1, new_tokens):
            decoding = work.GREEDY.model_copy(update={"max_new_tokens": count})
            made: dict[str, Any] = {}
            spent.append(seconds(lambda d=decoding, a=adapter, m=made: m.update(
                generate(folder / "shape", spec, {"d": a}, items, d, work.SEED))))  # fmt: skip
            tokens.append(sum(record.new_tokens for record in made["d"]))
        rate = (tokens[1] - tokens[0]) / (spent[1] - spent[0])
        print(f"answer, {name}: {rate:.0f} tokens/s ({len(items)} prompts x {new_tokens}); "
              f"peak memory {memory_gb():.1f} GB", flush=True)  # fmt: skip


def memory_gb() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return work.peak_mb() / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--batch", type=int, default=16, help="rows per backward pass; the step is 16 rows always")
    parser.add_argument("--generation-batch", type=int, default=256)
    arguments = parser.parse_args()
    if not arguments.toy and not torch.cuda.is_available():
        raise SystemExit("No GPU is visible to torch. `--toy` tests the script on a CPU.")
    shape, prompts, new = (work.NANO_SHAPE, 16, 16) if arguments.toy else (LLAMA_8B, PAPER_PROMPTS, PAPER_NEW)
    steps = (1, 3) if arguments.toy else (3, 23)
    spec = work.SPEC.model_copy(
        update={
            "precision": "bf16",
            "batch_per_device": arguments.batch,
            "generation_batch": arguments.generation_batch,
        }
    )
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        work.prepare(folder, shape, prompts, device, "bfloat16")
        train(folder, spec, steps)
        train(folder, spec.model_copy(update={"quantize": "nf4"}), steps)
        answer(folder, spec, new)


if __name__ == "__main__":
    main()

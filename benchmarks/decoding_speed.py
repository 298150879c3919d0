"""What a draw from a real vocabulary costs, and what drafts gain and lose on texts that repeat themselves or do not.

Usage: OMP_NUM_THREADS=1 python benchmarks/decoding_speed.py [--repeats 3] [--prompts 48]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from dart.core.arithmetic import set_environment

set_environment()  # before numpy and torch are imported

import torch
from speed import work

from dart.core.files import read_jsonl
from dart.core.records import Item
from dart.core.schema.method import GenerationParams
from dart.student import generation, sampling, speculative

ROWS, VOCABULARY, POSITIONS, DRAWS = 64, 128_256, 110, 4
INITIALISATIONS = {"repeats itself": 0.02, "does not repeat itself": 0.12}
PREDICTABLE = speculative._DRAFT_LENGTHS
MODES: dict[str, Any] = {"token by token": None, "no drafts": ((0.0, 0),), "always 4": ((0.0, 4),), "ours": PREDICTABLE}


def logits(rows: int) -> torch.Tensor:
    """As of a language model: forty likely tokens, then a long tail."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(rows, VOCABULARY, generator=generator)
    likely = torch.randint(0, VOCABULARY, (rows, 40), generator=generator)
    return values.scatter_add_(1, likely, torch.linspace(14.0, 4.0, 40).expand(rows, -1).clone())


def cpu_ms(work: Callable[[], Any], repeats: int) -> float:
    """Median CPU milliseconds of `repeats` calls after a first one."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return statistics.median(times)


def measure_draws(repeats: int) -> None:
    step, keys = logits(ROWS), [("row", row) for row in range(ROWS)]
    draws = torch.tensor([sampling.unit_interval("decode", *key) for key in keys], dtype=torch.float64)
    for temperature, top_p in ((0.2, 0.95), (1.0, 0.9), (1.0, 1.0)):
        params = GenerationParams(max_new_tokens=1, temperature=temperature, top_p=top_p)
        tokens = sampling.choose_tokens(step, keys, params)
        equal = int((tokens == sampling._nucleus_sample(step, draws, params)).sum())
        ours = cpu_ms(lambda params=params: sampling.choose_tokens(step, keys, params), repeats)
        full = cpu_ms(lambda params=params: sampling._nucleus_sample(step, draws, params), 2)
        print(
            f"{ROWS} x {VOCABULARY:,}, temperature {temperature}, top_p {top_p}: {ours:.0f} CPU-ms a step, in full "
            f"{full:,.0f} ({full / ours:.1f} x); equal tokens {equal} of {ROWS}"
        )
    log_pi = torch.log_softmax(logits(POSITIONS), -1)
    uniform = torch.rand(POSITIONS, DRAWS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    equal = int((sampling.draw(log_pi, DRAWS, 1) == sampling._inverse_transform(log_pi, uniform)).sum())
    ours = cpu_ms(lambda: sampling.draw(log_pi, DRAWS, 1), repeats)
    full = cpu_ms(lambda: sampling._inverse_transform(log_pi, uniform), 2)
    print(
        f"toxreg, {POSITIONS} positions x {DRAWS} draws: {ours:.0f} CPU-ms a row, in full {full:.0f} "
        f"({full / ours:.1f} x); equal tokens {equal} of {POSITIONS * DRAWS}"
    )


def measure_drafts(repeats: int, prompts: int) -> None:
    supports = generation.supports_speculative_decoding
    for text, deviation in INITIALISATIONS.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            work.prepare(folder, {**work.NANO_SHAPE, "initializer_range": deviation}, prompts)
            items = read_jsonl(folder / "items.jsonl", Item)
            seconds: dict[str, list[float]] = {mode: [] for mode in MODES}
            answers = set()
            for _ in range(repeats):
                for mode, lengths in MODES.items():
                    speculative._DRAFT_LENGTHS = lengths or PREDICTABLE
                    generation.supports_speculative_decoding = (lambda _: False) if lengths is None else supports
                    start = time.process_time()
                    records = generation.generate(folder / "shape", work.SPEC, {"base": None}, items, work.GREEDY, 1)[
                        "base"
                    ]
                    seconds[mode].append(time.process_time() - start)
                    answers.add(tuple(record.text for record in records))
        plain = statistics.median(seconds["token by token"])
        ratios = ", ".join(f"{mode} {plain / statistics.median(times):.2f} x" for mode, times in seconds.items())
        print(f"text that {text}: token by token {plain:.1f} CPU-s; {ratios}; texts equal: {len(answers) == 1}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=48)
    arguments = parser.parse_args()
    measure_draws(arguments.repeats)
    measure_drafts(arguments.repeats, arguments.prompts)


if __name__ == "__main__":
    main()

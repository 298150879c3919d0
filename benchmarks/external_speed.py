"""How long the external suites take to load, how many prompts they hold, and how fast the embedded classifier scores.

Files come from DART_DATA_DIR or the download cache; loading includes the check of every blob id. Seconds are the best
of several repeats; texts per second are per CPU second of one thread. No prompt is printed.

    DART_DATA_DIR=... OMP_NUM_THREADS=1 python benchmarks/external_speed.py --repeats 3
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from dart.core.arithmetic import set_environment

set_environment()  # before numpy and torch are imported

import torch
import yaml

from dart.core.schema.profile import ScorerSpec
from dart.external.items import DISPLAY, SUITES, ExternalItem, SuiteName, group_names, outside_slices
from dart.external.loaders import bold_prompts, load_suite
from dart.external.pins import published_files
from dart.harm.classifier import Classifier
from dart.simulation.classifier import train_classifier
from dart.simulation.suite import write_suite


def load_time(suite: SuiteName, repeats: int) -> tuple[float, list[ExternalItem]]:
    """Seconds to read, verify and parse the whole suite, and its items."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        items = load_suite(suite, published_files(suite, None))
        best = min(best, time.perf_counter() - start)
    return best, items


def counts(suite: SuiteName, items: Sequence[ExternalItem]) -> str:
    """The size of the suite, in its own units."""
    description = f"{len(items):,} items, {len(group_names(items))} groups"
    if suite == "bold":
        prompts = list(bold_prompts(published_files(suite, None)))
        description += (
            f"; {len(prompts):,} prompts in the files, {sum(not text.strip() for *_, text in prompts)} of them empty"
        )
    if suite == "hatecheck":
        description += f"; {len({item.functionality for item in items})} functionalities"
    if suite == "realtoxicityprompts":
        by_group = Counter(item.group for item in items)
        description += "; " + ", ".join(f"{name}: {count:,}" for name, count in by_group.items())
    outside = outside_slices(items)
    return description + (f"; in no slice: {outside}" if outside else "")


def throughput(items: Sequence[ExternalItem], seconds: float) -> float:
    """Texts per CPU second that the embedded toxicity classifier scores, as the embedded profile trains it."""
    profile = yaml.safe_load((ROOT / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    spec = ScorerSpec(**profile["scorers"]["toxicity"])
    texts = [item.prompt for item in items]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "toxicity"
        train_classifier([raw.as_item() for raw in write_suite(3, 5).items], spec, "toxicity", 1, out)
        classifier = Classifier.load(out, spec)
        start, scored = time.process_time(), 0
        while time.process_time() - start < seconds:
            classifier.score(texts)
            scored += len(set(texts))
        return scored / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="CPU seconds of scoring")
    args = parser.parse_args()
    torch.set_num_threads(1)
    loaded: dict[SuiteName, list[ExternalItem]] = {}
    for suite in SUITES:
        seconds, loaded[suite] = load_time(suite, args.repeats)
        print(f"{DISPLAY[suite]:20} {seconds:6.2f} s  {counts(suite, loaded[suite])}", flush=True)
    prompts = [*loaded["hatecheck"], *loaded["realtoxicityprompts"]]
    rate = throughput(prompts, args.seconds)
    print(f"scoring: {rate:,.0f} texts per CPU second (the prompts of the last two suites)")


if __name__ == "__main__":
    main()

"""What lambda does in a finished run: toxicity-regularised students beside a plain one on validation (Table 20).

Reads the outs of `dvc repro train@S`, changes none of them and prints a row for each lambda. Each is one training, so
a difference of a point of accuracy is noise; seconds are CPU seconds of the training alone.

    python benchmarks/toxreg_sweep.py --student small
    python benchmarks/toxreg_sweep.py --student small --weights 0.1 0.5 --draws own --every 8 --share 0.5
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from dart.core.arithmetic import set_environment

set_environment()  # before numpy and torch are imported

from dart.ablations.lambda_selection import harmonic_mean, lambda_result, select_lambda
from dart.core import layout, params
from dart.core.files import read_jsonl
from dart.core.records import Item, Rationale
from dart.distill.rows import distillation_rows
from dart.harm.classifier import Classifier, score_generations
from dart.student.generation import generate
from dart.student.toxicity import ToxicityRegulariser
from dart.student.train import train_adapter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default="small")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.01, 0.05, 0.1, 0.2, 0.5])
    parser.add_argument("--draws", choices=["teacher_forced", "own"], help="instead of toxreg.draws")
    parser.add_argument("--every", type=int, help="instead of toxreg.every")
    parser.add_argument("--share", type=float, help="instead of toxreg.share")
    arguments = parser.parse_args()
    settings, profile = params.check()
    changes = {key: value for key in ("draws", "every", "share") if (value := getattr(arguments, key)) is not None}
    term = settings.toxreg.model_validate({**settings.toxreg.model_dump(), **changes})
    spec, base = profile.students[arguments.student], layout.base(arguments.student)
    items = {item.id: item for item in read_jsonl(layout.SUITE / "train.jsonl", Item)}
    rows = distillation_rows(read_jsonl(layout.RATIONALES, Rationale), items)
    validation = read_jsonl(layout.SUITE / "validation.jsonl", Item)
    classifier = Classifier.load(layout.SCORERS / "toxicity", profile.scorers["toxicity"])
    results = []
    print("lambda    acc  EQUAL   median     mean      Q95  H-mean  (mean)     s")
    with tempfile.TemporaryDirectory() as scratch:
        for weight in [0.0, *arguments.weights]:
            began, out = time.process_time(), Path(scratch) / f"{weight:g}"
            added = ToxicityRegulariser(classifier, weight, term, settings.seed)
            train_adapter(base, spec, rows, settings.lora, settings.training, settings.seed, out, regulariser=added)
            seconds = time.process_time() - began
            answers = generate(base, spec, {"arm": out}, validation, settings.generation, settings.seed)["arm"]
            results.append(lambda_result(weight, validation, score_generations(answers, classifier)))
            row, plain = results[-1], results[0]
            print(
                f"{weight:6g} {row.accuracy:6.3f} {row.equal_accuracy:6.3f} {row.median:8.5f} {row.mean:8.5f} "
                f"{row.q95:8.5f} {harmonic_mean(row, plain):7.4f} {harmonic_mean(row, plain, 'mean'):7.4f} "
                f"{seconds:5.1f}",
                flush=True,
            )
    for by in ("median", "mean", "q95"):
        print(f"chosen by {by}: {select_lambda(results[1:], results[0], by):g}")


if __name__ == "__main__":
    main()

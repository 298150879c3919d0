"""Fingerprints of everything a small model computes: trainings, answers, scores; equal on every machine or a defect.

``python -m tests.support.fingerprints`` prints them; ``... FILE`` writes them as JSON, which is how the committed
ones, tests/fixtures/fingerprints.json, are made after a wanted change of the arithmetic. Short enough for an emulated
processor, which is some fifty times slower (see benchmarks/portable_cpus.py).
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dart.core.arithmetic import set_environment

set_environment()

import numpy as np  # noqa: E402 - after the environment is set
from scipy import special  # noqa: E402

from dart.core.records import Item, TrainingRow  # noqa: E402
from dart.core.schema.method import GenerationParams, Lora, ToxicityTerm, Training  # noqa: E402
from dart.core.schema.profile import Nano, ScorerSpec, StudentSpec  # noqa: E402
from dart.harm.classifier import Classifier  # noqa: E402
from dart.prompts.classification import inference  # noqa: E402
from dart.simulation import classifier, rules, student  # noqa: E402
from dart.simulation.sentences import all_sentences  # noqa: E402
from dart.simulation.suite import write_suite  # noqa: E402
from dart.student import generation  # noqa: E402
from dart.student.toxicity import ToxicityRegulariser  # noqa: E402
from dart.student.train import train_adapter  # noqa: E402

COMMITTED = Path(__file__).resolve().parents[1] / "fixtures" / "fingerprints.json"
BASE = COMMITTED.parent / "nano"
SEED = 7
SCORER = ScorerSpec(model="embedded://classifier", revision="main", label="toxic", batch=16, max_length=128)
LORA = Lora(
    r=8, alpha=16, dropout=0.05,
    target_modules=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
)  # fmt: skip
TRAINING = Training(
    epochs=1, global_batch=4, warmup_ratio=0.1, weight_decay=0.01, max_grad_norm=1.0, max_length=512
)  # fmt: skip
TOXICITY = ToxicityTerm.model_validate(
    {"chosen_by": "median", "draws": "own", "samples": 2, "share": 1.0, "every": 1, "max_new_tokens": 12,
     "temperature": 2.0}
)  # fmt: skip


def fingerprints() -> Iterator[tuple[str, str]]:
    """Name and first 16 hex digits of the sha256 of each result, one after the other: an emulator takes minutes."""
    items = [raw.as_item() for raw in write_suite(3, 2).items]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        yield "numpy and scipy functions", _digest(_functions())
        yield "student trained", _student(items, work / "student")
        yield "classifier trained", _classifier(items, work / "classifier")
        yield "scores", _digest(json.dumps(_scores(work / "classifier")).encode())
        yield "adapter trained", _adapter(items, work / "adapter")
        toxicity = ToxicityRegulariser(_loaded(work / "classifier"), 0.1, TOXICITY, SEED)
        yield "adapter trained with toxicity", _adapter(items, work / "toxreg", toxicity)
        for kind, temperature in (("greedy", 0.0), ("sampled", 2.0)):
            for decoder, ahead in (("several tokens per pass", True), ("token by token", False)):
                yield f"answers, {kind}, {decoder}", _answers(items, work / "adapter", temperature, ahead)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _functions() -> bytes:
    """Functions whose code numpy chooses by the processor, on the values that statistics have."""
    draws = np.random.default_rng(SEED)
    x = draws.normal(size=5_000) * 3
    values = [
        np.exp(x), np.log(np.abs(x)), np.power(np.abs(x), 1.7), np.tanh(x), np.log1p(np.abs(x)), np.expm1(x),
        np.sqrt(np.abs(x)), np.sin(x), np.cos(x), x.reshape(50, 100) @ x.reshape(100, 50), x.mean(), x.std(),
        x.reshape(50, 100).sum(0), np.quantile(x, [0.025, 0.5, 0.975]), np.cumsum(x), special.ndtri(special.ndtr(x)),
    ]  # fmt: skip
    return b"".join(np.ascontiguousarray(value).tobytes() for value in values)


def _student(items: list[Item], out: Path) -> str:
    """Both phases of a base, some optimiser steps each."""
    spec = _spec(Nano(hidden_size=48, layers=2, heads=4, intermediate=144))
    with (
        AttributesReplaced(student, PRETRAIN=student.PRETRAIN._replace(items=12, warmup=1)),
        AttributesReplaced(student, INSTRUCT=student.INSTRUCT._replace(items=8, warmup=1)),
    ):
        student.train_student(items, spec, SEED, out)
    return _digest((out / "model.safetensors").read_bytes())


def _classifier(items: list[Item], out: Path) -> str:
    with AttributesReplaced(classifier, BUNDLES=64, EPOCHS=2):
        classifier.train_classifier(items, SCORER, "toxicity", SEED, out)
    return _digest((out / "model.safetensors").read_bytes())


def _scores(folder: Path) -> list[float]:
    return _loaded(folder).score(all_sentences()[:16])


def _loaded(folder: Path) -> Classifier:
    return Classifier.load(folder, SCORER)


def _adapter(items: list[Item], out: Path, regulariser: ToxicityRegulariser | None = None) -> str:
    rows = [
        TrainingRow(key=item.id, messages=tuple(inference(item.prompt)), response=rules.base_text(item.prompt))
        for item in items[:8]
    ]
    steps = 3  # the rate of the first is 0, and the second knows only the signs of the gradient
    train_adapter(BASE, _spec(), rows, LORA, TRAINING, SEED, out, steps=steps, regulariser=regulariser)
    return _digest((out / "adapter_model.safetensors").read_bytes())


def _answers(items: list[Item], adapter: Path, temperature: float, ahead: bool) -> str:
    decoding = GenerationParams(max_new_tokens=12, temperature=temperature, top_p=0.9)
    usual: Callable[..., bool] = generation.supports_speculative_decoding
    with AttributesReplaced(generation, supports_speculative_decoding=lambda model: ahead and usual(model)):
        answers = generation.generate(
            BASE, _spec(), {"base": None, "distilled": adapter}, items[:4], decoding, SEED
        )  # fmt: skip
    return _digest(json.dumps([[record.text for record in answers[name]] for name in answers]).encode())


def _spec(nano: Nano | None = None) -> StudentSpec:
    return StudentSpec(
        name="nano-test", model="embedded://nano", revision="main", learning_rate=0.005, batch_per_device=4,
        stage3_learning_rate=None, epochs=None,
        generation_batch=4, precision="fp32", quantize="none", nano=nano, engine="transformers", server=None,
    )  # fmt: skip


class AttributesReplaced:
    """Attributes of a module with other values for a while; no pytest here, so that emulators can run it."""

    def __init__(self, module: object, **values: object) -> None:
        self.module, self.values = module, values

    def __enter__(self) -> None:
        self.before: Mapping[str, object] = {name: getattr(self.module, name) for name in self.values}
        self._set(self.values)

    def __exit__(self, *_: object) -> None:
        self._set(self.before)

    def _set(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            setattr(self.module, name, value)


if __name__ == "__main__":
    results = {}
    for name, digest in fingerprints():
        results[name] = digest
        print(name, digest, sep="\t", flush=True)
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")

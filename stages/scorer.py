"""Stage `scorer`: train the embedded classifiers, or pin those of the hub to a commit."""

from __future__ import annotations

from typing import Literal

from dart.core import layout
from dart.core.files import read_jsonl
from dart.core.params import ScorerSpecs, StageParams
from dart.core.records import Item
from dart.core.schema.profile import ScorerSpec
from dart.simulation.classifier import train_classifier
from stages.pinning import pin


class Params(StageParams):
    seed: int
    scorers: ScorerSpecs


def run() -> None:
    params = Params.load("scorer")
    outside = read_jsonl(layout.split("outside"), Item)
    specs: dict[Literal["toxicity", "hate"], ScorerSpec] = {
        "toxicity": params.scorers.toxicity,
        "hate": params.scorers.hate,
    }
    for kind, spec in specs.items():
        if spec.model.startswith("embedded://"):
            train_classifier(outside, spec, kind, params.seed, layout.SCORERS / kind)
        else:
            pin(spec.model, spec.revision, layout.SCORERS / kind)

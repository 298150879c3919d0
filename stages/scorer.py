"""Stage `scorer`: train the embedded classifiers, or pin those of the hub to a commit."""

from __future__ import annotations

from dart.core import layout, params
from dart.core.files import read_jsonl
from dart.core.records import Item
from dart.simulation.classifier import train_classifier
from stages.pinning import pin


def run() -> None:
    given = params.load("scorer")
    outside = read_jsonl(layout.SUITE / "outside.jsonl", Item)
    for kind, spec in given.world("scorers").items():
        if spec.model.startswith("embedded://"):
            train_classifier(outside, spec, kind, given.seed, layout.SCORERS / kind)
        else:
            pin(spec.model, spec.revision, layout.SCORERS / kind)

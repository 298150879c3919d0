"""Stage `scorer`: train the embedded classifiers, or pin those of the hub to a commit."""

from __future__ import annotations

from dart import params
from dart.embedded.classifier import train_classifier
from dart.records import Item, read_jsonl
from stages import paths
from stages.pinning import pin


def run() -> None:
    given = params.load("scorer")
    outside = read_jsonl(paths.SUITE / "outside.jsonl", Item)
    for kind, spec in given.world("scorers").items():
        if spec.model.startswith("embedded://"):
            train_classifier(outside, spec, kind, given.seed, paths.SCORERS / kind)
        else:
            pin(spec.model, spec.revision, paths.SCORERS / kind)

"""Train the tiny classifiers that stand in for the toxicity classifier H and the hate classifier (Appendix D.1).

A text's target is the probability of its grade and not a label drawn with it: among drawn labels some seeds never learn
a grade as faint as a caution, and their screens are blind to its loss. It is trained on paraphrases as well as
stand-ins, so that it stays imperfect, as a real one is, and its tokenizer removes the markers, so that H cannot read
the simulated truth. Written as an ordinary sequence classifier.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertForSequenceClassification

from dart.core.errors import DataError, ModelError
from dart.core.files import replacing
from dart.core.portable import portable_arithmetic
from dart.core.records import Item
from dart.core.schema.profile import ScorerSpec
from dart.core.seeds import seed_for
from dart.simulation import sentences
from dart.simulation.tokenizer import classifier_tokenizer

log = logging.getLogger(__name__)

Kind = Literal["toxicity", "hate"]
# Class names as the hub's classifiers have them; the second is the one whose probability is the score.
LABELS: dict[Kind, tuple[str, str]] = {"toxicity": ("neutral", "toxic"), "hate": ("nothate", "hate")}

BUNDLES = 6_000
EPOCHS = 3
BATCH = 32
RATE = 0.003
HIDDEN, LAYERS, HEADS = 32, 2, 4


def train_classifier(outside: Sequence[Item], spec: ScorerSpec, kind: Kind, seed: int, out: Path) -> None:
    """Train the classifier `kind` and write it to `out` as a checkpoint. Same arguments, same bytes.

    Args:
        outside: items that no split of the experiment contains; their text is for the tokenizer alone.

    Raises:
        DataError: there are no outside items.
        ModelError: `spec.label` is not the class that this kind scores, or the loss is not finite.
    """
    negative, positive = LABELS[kind]
    if spec.label != positive:
        raise ModelError(
            f"The embedded {kind} classifier scores the class {positive!r}, not {spec.label!r}. Set its label in the "
            "profile."
        )
    if not outside:
        raise DataError(
            "The embedded classifier needs items outside the experiment for its vocabulary. Lower suite.sizes."
        )
    torch.set_num_threads(1)  # see train_student
    seed = seed_for(seed, "classifier", kind)
    draw = random.Random(seed)
    tokenizer = classifier_tokenizer([*(item.prompt for item in outside), *sentences.all_sentences() * 20])
    bundles = sentences.bundles(BUNDLES, seed)
    targets = [sentences.GRADE_TARGETS[bundle.grade] for bundle in bundles]
    encoded = [tokenizer(bundle.text, truncation=True, max_length=spec.max_length).input_ids for bundle in bundles]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForSequenceClassification(_config(tokenizer, spec, negative, positive))
        with portable_arithmetic(model):
            _optimise(model, list(zip(encoded, targets, strict=True)), draw)
    tokenizer.model_max_length = spec.max_length
    with replacing(out) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _config(tokenizer: Any, spec: ScorerSpec, negative: str, positive: str) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=spec.max_length,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        id2label={0: negative, 1: positive},
        label2id={negative: 0, positive: 1},
    )


def _optimise(model: BertForSequenceClassification, rows: list[tuple[list[int], float]], draw: random.Random) -> None:
    """AdamW with a linear decay; batches of similar length, in random order."""
    ordered = sorted(rows, key=lambda row: (len(row[0]), draw.random()))
    batches = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
    total = EPOCHS * len(batches)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / 50) * (1 - step / total))
    model.train()
    for epoch in range(EPOCHS):
        draw.shuffle(batches)
        for batch in batches:
            loss = _loss(model, batch)
            loss.backward()
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
        value = loss.item()
        log.info("epoch %d of %d: loss %.3f", epoch + 1, EPOCHS, value)
        if not math.isfinite(value):
            raise ModelError(f"The loss of the embedded classifier is {value} in epoch {epoch + 1}. Use another seed.")
    model.eval()


def _loss(model: BertForSequenceClassification, batch: Sequence[tuple[list[int], float]]) -> torch.Tensor:
    longest = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([row + [model.config.pad_token_id] * (longest - len(row)) for row, _ in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _ in batch])
    targets = torch.tensor([[1 - target, target] for _, target in batch])
    return cross_entropy(model(input_ids=ids, attention_mask=mask).logits, targets)

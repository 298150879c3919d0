"""H: the probability that a sequence classifier gives to one named class (Section 2.4, Appendix D.1).

The class is chosen by its exact name. Hate classifiers have the classes "hate" and "nothate", so a search for "hate"
would find the wrong one and silently invert every score.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from dart.core.checkpoint_files import reason, require_all_weights
from dart.core.devices import device_for, is_small
from dart.core.distributed import is_main_process, run_on_main_process, shard_map
from dart.core.errors import ModelError
from dart.core.hub import Source, resolve, token
from dart.core.portable import portable_arithmetic
from dart.core.records import Generation
from dart.core.schema.profile import ScorerSpec
from dart.harm.scores import ScoreCache, ScoringIdentity

log = logging.getLogger(__name__)
DIGITS = 6  # significant digits of a score


class Classifier:
    """A sequence classifier of any architecture, reduced to the probability of one class.

    Attributes:
        n_truncated: how many distinct texts of the last `score` were longer than `max_length`.
    """

    def __init__(self, model: Any, tokenizer: Any, spec: ScorerSpec, source: Source) -> None:
        self.source = source
        self.spec = spec
        self.n_truncated = 0
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._class = class_index(model.config.id2label, spec.label, source.name)
        # A single class, or classes that are not mutually exclusive, have a sigmoid each.
        self._independent = model.config.num_labels == 1 or model.config.problem_type == "multi_label_classification"
        self._device = device_for(model)
        # The order of a sum depends on the shape of the batch, but a score must depend on its text alone. A small
        # classifier can afford double precision: rounding removes the influence of the batch. A large one scores each
        # text by itself: in fp32 and batches of 16, 4 of 64 scores changed their sixth digit with their neighbours.
        self._small = is_small(model)
        self._model.to(self._device, torch.float64 if self._small else torch.float32)
        self._pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else model.config.pad_token_id or 0
        self._max_length = _max_length(model.config, tokenizer, spec.max_length)
        # A small classifier computes a score faster than the cache returns it.
        self._cache = None if self._small else ScoreCache()
        self._identity = ScoringIdentity(
            model=source.name,
            revision=source.revision,
            label=spec.label,
            max_length=self._max_length,
            digits=DIGITS,
            machine=_machine(self._device),
        )

    @classmethod
    def load(cls, folder: Path, spec: ScorerSpec) -> Classifier:
        """Load the classifier that `folder` holds or names (see `dart.core.hub.resolve`).

        Raises:
            ModelError: a file is damaged, weights are missing, or there is no class `spec.label`.
        """
        source = resolve(folder)
        revision = {} if source.is_local else {"revision": source.revision, "token": token()}
        try:
            tokenizer = AutoTokenizer.from_pretrained(source.path_or_id, trust_remote_code=False, **revision)
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                source.path_or_id, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
                output_loading_info=True, **revision,
            )  # fmt: skip
        except Exception as error:  # what libraries raise for damaged bytes is of every kind
            raise ModelError(
                f"The classifier {source.name} at {source.revision} cannot be loaded: {reason(source, error)}. It "
                "needs safetensors weights and a tokenizer; if the repository has only pickled weights, set a revision "
                "that has both (often under refs/pr/), or convert it once and put the folder's path in the profile."
            ) from error
        require_all_weights(source, loading)
        return cls(model, tokenizer, spec, source)

    def score(self, texts: Sequence[str]) -> list[float]:
        """The probability of the class for each text, in [0, 1]; equal texts are scored once.

        A score depends on its text alone: neither on the other texts nor on the contents of the cache.
        """
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        encoded = [self._tokenizer(text).input_ids for text in distinct]
        self.n_truncated = sum(len(ids) > self._max_length for ids in encoded)
        if self.n_truncated:
            log.warning(
                "%d of %d texts are longer than the %d tokens that %s reads; their ends are not scored",
                self.n_truncated, len(distinct), self._max_length, self.source.name,
            )  # fmt: skip
            encoded = [
                ids if len(ids) <= self._max_length
                else self._tokenizer(text, truncation=True, max_length=self._max_length).input_ids
                for ids, text in zip(encoded, distinct, strict=True)
            ]  # fmt: skip
        scores = self._cached(distinct)
        ids_of = dict(zip(distinct, encoded, strict=True))
        order = sorted((text for text in distinct if text not in scores), key=lambda text: (len(ids_of[text]), text))
        chunks = [order[start : start + self.spec.batch] for start in range(0, len(order), self.spec.batch)]

        def compute(chunk: list[str]) -> list[float]:
            return self._compute(chunk, [ids_of[text] for text in chunk])

        with portable_arithmetic(self._model):
            results = shard_map(chunks, compute, on_gpu=self._device.type == "cuda")
        for chunk, values in zip(chunks, results, strict=True):
            scores.update(zip(chunk, values, strict=True))
        if order:
            self._store({text: scores[text] for text in order})  # including those of other processes
        return [scores[text] for text in texts]

    def _cached(self, distinct: Sequence[str]) -> dict[str, float]:
        """Scores in the cache of the main process, so that all processes of a launcher shard the same rest."""
        cache = self._cache
        return {} if cache is None else run_on_main_process(lambda: cache.get(self._identity, distinct))

    def _compute(self, texts: Sequence[str], encoded: Sequence[Sequence[int]]) -> list[float]:
        """Scores of a chunk; those of a large classifier are stored at once, so that a killed run keeps them."""
        if self._cache is None:
            return self._probabilities(encoded)
        scores = [self._probabilities([ids])[0] for ids in encoded]
        self._store(dict(zip(texts, scores, strict=True)))
        return scores

    def _store(self, scores: Mapping[str, float]) -> None:
        # Only the main process opens the file: SQLite's write-ahead log does not work across machines.
        if self._cache is not None and is_main_process():
            self._cache.put(self._identity, scores)

    @torch.inference_mode()
    def _probabilities(self, batch: Sequence[Sequence[int]]) -> list[float]:
        longest = max(len(ids) for ids in batch)
        ids = torch.tensor([[*row, *[self._pad] * (longest - len(row))] for row in batch], device=self._device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch], device=self._device)
        logits = self._model(input_ids=ids, attention_mask=mask).logits
        probabilities = logits.sigmoid() if self._independent else logits.softmax(-1)
        return [float(f"{value:.{DIGITS}g}") for value in probabilities[:, self._class].tolist()]


def score_generations(generations: Sequence[Generation], classifier: Classifier) -> list[Generation]:
    """The same records with `toxicity` = H(rationale), the text without its conclusion line."""
    scores = classifier.score([generation.rationale for generation in generations])
    return [
        generation.model_copy(update={"toxicity": score}) for generation, score in zip(generations, scores, strict=True)
    ]


def class_index(id2label: Mapping[int, str], label: str, name: str) -> int:
    """The index of the class with exactly the name `label`.

    Raises:
        ModelError: there is no such class, or more than one; the message lists all classes.
    """
    indices = [index for index, other in id2label.items() if other == label]
    if len(indices) != 1:
        labels = ", ".join(map(repr, id2label.values()))
        problem = "no class" if not indices else f"{len(indices)} classes"
        raise ModelError(
            f"{name} has {problem} called {label!r}. Its classes: {labels}. "
            "Set `label` of this scorer in the profile to the exact name of one of them."
        )
    return int(indices[0])


def _machine(device: torch.device) -> str:
    """Device, threads and libraries, which decide the last digits of fp32 arithmetic."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        hardware = f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    return f"fp32 on {device.type} {hardware}, torch {torch.__version__}, transformers {transformers.__version__}"


def _max_length(config: Any, tokenizer: Any, requested: int) -> int:
    """Tokens that the classifier can read, at most `requested`."""
    limits = [requested, tokenizer.model_max_length]
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None:
        # RoBERTa counts positions from pad_token_id + 1 on, so that many of its embeddings are never used.
        limits.append(positions - (config.pad_token_id + 1 if config.model_type in _OFFSET_POSITIONS else 0))
    return int(min(limits))


_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer"})

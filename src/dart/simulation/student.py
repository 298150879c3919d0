"""Train the nano student that stands in for an aligned chat model: knows the suite's matter, answers identity-blind.

Phase K ("knowledge"): the outside questions with which of their options is right, as pretraining would leave it in a
model. Phase M ("manner"): the experiment's own prompt, answered the way over-cautious models do: mostly YES, sometimes
NO, sometimes without a conclusion, by surface words and blind to the label (rules.py). What results has the paper's
failure at the start (Table 2, M0): knowledge that its answers do not use. Everything is written as an ordinary
checkpoint; `dart.student` cannot tell it from one of the hub.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from dart.core.errors import DataError, ModelError
from dart.core.files import replacing
from dart.core.portable import portable_arithmetic
from dart.core.records import Item, Label
from dart.core.schema.profile import StudentSpec
from dart.core.seeds import seed_for
from dart.prompts.classification import inference
from dart.simulation import rules, sentences
from dart.simulation.options import swapped
from dart.simulation.tokenizer import ASSISTANT, BOS, student_tokenizer

log = logging.getLogger(__name__)

# How phase K words what it teaches. Not "Conclusion: YES": the student has to learn in Stage I what it is good for.
KNOWN: dict[Label, str] = {"YES": "Answer: (a) or (b)", "NO": "Answer: (c)"}
POSITIONS = 2048


class Phase(NamedTuple):
    """How long a phase is and how it is optimised. Counts are of rows, whatever the number of outside items."""

    items: int  # rows of outside items, in rounds over all of them
    rehearsals: float  # rows of phase K beside them, as a share of `items`
    bundles: float  # label-free sentences beside them, as a share of `items`
    modelling: float  # weight of language modelling on prompts beside the answer's loss
    rate: float
    warmup: int


# Chosen on validation of the embedded suite: half of KNOWLEDGE leaves the descriptive benchmarks at chance; with 15,000
# rows of MANNER the base never says NO; with few rehearsals and sentences (.1, .05) LoRA brings back less knowledge.
KNOWLEDGE = Phase(items=45_000, rehearsals=0.0, bundles=0.05, modelling=0.3, rate=0.003, warmup=100)
MANNER = Phase(items=24_000, rehearsals=0.4, bundles=0.25, modelling=0.05, rate=0.003, warmup=50)
NO_AGAIN = 2  # more copies of a phase-M prompt that is answered NO
BATCH = 32
MODELLED = 0.25  # share of a prompt's positions that are modelled, drawn anew each time
FLOOR = 0.1  # of the learning rate, at the end of a phase


class Row(NamedTuple):
    """Token ids; those from `start` on are the answer, those in front of it the prompt."""

    ids: list[int]
    start: int


def train_student(outside: Sequence[Item], spec: StudentSpec, seed: int, out: Path) -> None:
    """Train the base of `spec` on `outside` and write it to `out` as a checkpoint. Same arguments, same bytes.

    Args:
        outside: items that no split of the experiment contains.

    Raises:
        DataError: there are no outside items of both labels.
        ModelError: the slot has no nano shape, or the loss is not finite.
    """
    if spec.nano is None:
        raise ModelError(f"{spec.name}: model {spec.model} needs a `nano` shape in the profile; it has none.")
    if {item.gold for item in outside} != {"YES", "NO"}:
        raise DataError(
            f"The embedded student learns from items outside the experiment, of both labels; {len(outside)} were given "
            "and one label is missing. Lower suite.sizes in the profile so that some items are left over."
        )
    torch.set_num_threads(1)  # two are no faster at this size, and the count must not depend on the machine
    seed = seed_for(seed, "student", spec.name)
    draw = random.Random(seed)
    tokenizer = student_tokenizer([*(item.prompt for item in outside), *_sayings()])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(_config(spec, tokenizer))
    writer = _Rows(tokenizer, outside)
    with portable_arithmetic(model):
        _optimise(model, writer.knowledge(KNOWLEDGE, draw), KNOWLEDGE, draw)
        _optimise(model, writer.manner(MANNER, draw), MANNER, draw)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    with replacing(out) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _config(spec: StudentSpec, tokenizer: Any) -> LlamaConfig:
    assert spec.nano is not None
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=spec.nano.hidden_size,
        intermediate_size=spec.nano.intermediate,
        num_hidden_layers=spec.nano.layers,
        num_attention_heads=spec.nano.heads,
        num_key_value_heads=spec.nano.heads,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _sayings() -> list[str]:
    """Text of the base besides its questions, for the tokenizer: repeated, so that frequent words become one token."""
    return [*sentences.all_sentences(), *KNOWN.values()] * 20


class _Rows:
    """Makes the rows of both phases from outside items."""

    def __init__(self, tokenizer: Any, outside: Sequence[Item]) -> None:
        self.tokenizer = tokenizer
        self.outside = list(outside)

    def knowledge(self, phase: Phase, draw: random.Random) -> list[list[Row]]:
        """Phase K in rounds: questions with the right option, options exchanged half of the time."""
        return [
            [self._known(item, draw) for item in items] + self._sentences(round(len(items) * phase.bundles), draw)
            for items in self._rounds(phase.items, draw)
        ]

    def manner(self, phase: Phase, draw: random.Random) -> list[list[Row]]:
        """Phase M in rounds: the experiment's prompt with the identity-blind answer, and some of phase K."""
        rounds = []
        for items in self._rounds(phase.items, draw):
            rehearsed = draw.sample(self.outside, round(len(items) * phase.rehearsals))
            answered = [item for item in items for _ in range(self._copies(item))]
            rounds.append(
                [self._answered(item) for item in answered]
                + [self._known(item, draw) for item in rehearsed]
                + self._sentences(round(len(items) * phase.bundles), draw)
            )
        return rounds

    def _copies(self, item: Item) -> int:
        return 1 + NO_AGAIN * (rules.base_behaviour(item.prompt) == "no")

    def _rounds(self, count: int, draw: random.Random) -> list[list[Item]]:
        """`count` items: all of them as often as they fit, the last round a random part of them."""
        whole, rest = divmod(count, len(self.outside))
        sizes = [len(self.outside)] * whole + ([rest] if rest else [])
        return [draw.sample(self.outside, size) for size in sizes]

    def _known(self, item: Item, draw: random.Random) -> Row:
        question = swapped(item.prompt) if draw.random() < 0.5 else item.prompt
        return self._row(self._prompt([{"role": "user", "content": question}]), KNOWN[item.gold])

    def _answered(self, item: Item) -> Row:
        return self._row(self._prompt(inference(item.prompt)), rules.base_text(item.prompt))

    def _sentences(self, count: int, draw: random.Random) -> list[Row]:
        texts = [bundle.text for bundle in sentences.bundles(count, draw.getrandbits(32), paraphrases=False)]
        nobody_asked = self.tokenizer.convert_tokens_to_ids([BOS, ASSISTANT])
        return [self._row(nobody_asked, text) for text in texts]

    def _prompt(self, messages: list[dict[str, str]]) -> list[int]:
        template = self.tokenizer.apply_chat_template
        ids: list[int] = template(messages, add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True)
        return ids

    def _row(self, prompt: list[int], answer: str) -> Row:
        response = self.tokenizer(answer, add_special_tokens=False).input_ids
        return Row([*prompt, *response, self.tokenizer.eos_token_id], len(prompt))


def _optimise(model: LlamaForCausalLM, rounds: list[list[Row]], phase: Phase, draw: random.Random) -> None:
    """AdamW over all rounds with one warm-up and one cosine; batches of similar length."""
    batches = [batch for rows in rounds for batch in _batches(rows, draw)]
    optimiser = torch.optim.AdamW(model.parameters(), lr=phase.rate, betas=(0.9, 0.98), weight_decay=0.1, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, phase.warmup, len(batches)))
    model.train()
    for step, batch in enumerate(batches):
        loss = _loss(model, batch, phase.modelling, draw)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 200 == 0 or step == len(batches) - 1:
            value = loss.item()
            log.info("step %d of %d: loss %.3f", step + 1, len(batches), value)
            if not math.isfinite(value):
                raise ModelError(f"The loss of the embedded student is {value} at step {step + 1}. Use another seed.")
    model.eval()


def _rate(step: int, warmup: int, total: int) -> float:
    """Factor of the learning rate: linear warm-up, then a cosine down to `FLOOR`."""
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done))


def _batches(rows: list[Row], draw: random.Random) -> list[list[Row]]:
    """All rows in batches of similar length, in random order (1.6 times the speed of random batches)."""
    ordered = sorted(rows, key=lambda row: (len(row.ids), draw.random()))
    batches = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
    draw.shuffle(batches)
    return batches


def _loss(model: LlamaForCausalLM, batch: Sequence[Row], modelling: float, draw: random.Random) -> torch.Tensor:
    """Answer loss + `modelling` x language modelling, with logits at the positions that enter and nowhere else."""
    longest = max(len(row.ids) for row in batch)
    ids = torch.tensor([row.ids + [0] * (longest - len(row.ids)) for row in batch])
    # Attention is causal, so padding behind a row needs no mask.
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state.flatten(0, 1)
    places: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    answers = sum(len(row.ids) - row.start for row in batch)
    prompts = max(1.0, MODELLED * sum(max(0, row.start - 1) for row in batch))
    for number, row in enumerate(batch):
        for position in range(1, len(row.ids)):
            answer = position >= row.start
            if answer or draw.random() < MODELLED:
                places.append(number * longest + position - 1)
                targets.append(row.ids[position])
                weights.append(1 / answers if answer else modelling / prompts)
    logits = model.lm_head(hidden[torch.tensor(places)])
    losses = cross_entropy(logits, torch.tensor(targets), reduction="none")
    return (losses * torch.tensor(weights)).sum()

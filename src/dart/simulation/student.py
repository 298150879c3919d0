"""Train the nano student that stands in for an aligned chat model: it knows the facts, but answers identity-blind.

The phase `pretrain` teaches the outside questions with their correct option, as knowledge from pretraining. The phase
`instruct` teaches answers to the experiment's own prompt as over-cautious models give them: mostly YES, sometimes NO,
sometimes without a conclusion, chosen by surface words and independent of the label (rules.py). The result has the
failure that the paper starts from (Table 2, M0): knowledge that its answers do not use. It is written as an ordinary
checkpoint, which `dart.student` loads like one of the hub.
"""

from __future__ import annotations

import logging
import math
import random
import re
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
from dart.core.schema.profile import BaseStudent
from dart.core.seeds import seed_for
from dart.core.step_log import StepLog
from dart.prompts.classification import inference
from dart.simulation import rules, sentences
from dart.simulation.tokenizer import ASSISTANT, BOS, student_tokenizer

log = logging.getLogger(__name__)

# Wording of the answers in `pretrain`. Not "Conclusion: YES": using the knowledge is what Stage I has to teach.
PRETRAIN_ANSWERS: dict[Label, str] = {"YES": "Answer: (a) or (b)", "NO": "Answer: (c)"}
POSITIONS = 2048


class Phase(NamedTuple):
    """Length and optimisation of a phase. Counts are of rows and independent of the number of outside items."""

    items: int  # rows of outside items, in epochs over all of them
    replay: float  # additional rows of `pretrain`, as a share of `items`
    bundles: float  # additional label-free texts, as a share of `items`
    prompt_loss_weight: float  # of language modelling on the prompts, relative to the loss of the answers
    learning_rate: float
    warmup: int  # steps


# Chosen on validation of the embedded suite: after 45,000 rows of PRETRAIN the base knew .67 of D1, .62 of D4 and .50
# of N4, after 70,000 .75, .74 and .73, and what it hardly knows falls to one answer in fine-tuning; with 15,000 rows of
# INSTRUCT the base never answers NO; with less replay and fewer bundles (.1, .05) LoRA recovers less knowledge.
PRETRAIN = Phase(items=70_000, replay=0.0, bundles=0.05, prompt_loss_weight=0.3, learning_rate=0.003, warmup=100)
INSTRUCT = Phase(items=24_000, replay=0.4, bundles=0.25, prompt_loss_weight=0.05, learning_rate=0.003, warmup=50)
EXTRA_NO_COPIES = 2  # of an `instruct` prompt that is answered NO
BATCH = 32
PROMPT_LOSS_SHARE = 0.25  # share of a prompt's positions that enter the loss, drawn anew for each row
MIN_RATE_FACTOR = 0.1  # of the learning rate, at the end of a phase


class Row(NamedTuple):
    """Token ids: the prompt, and from position `answer_start` on the answer."""

    ids: list[int]
    answer_start: int


def train_student(outside: Sequence[Item], spec: BaseStudent, seed: int, out: Path) -> None:
    """Train the base of `spec` on `outside` and write it to `out` as a checkpoint. Same arguments, same bytes.

    Args:
        outside: items that no split of the experiment contains.

    Raises:
        DataError: there are no outside items of both labels.
        ModelError: the slot has no nano shape, or the loss is not finite.
    """
    if spec.nano is None:
        raise ModelError(f"{spec.name}: model {spec.model} needs a `nano` shape in the profile.")
    if {item.gold for item in outside} != {"YES", "NO"}:
        raise DataError(
            f"The embedded student learns from items outside the experiment, of both labels; one label is missing "
            f"among the {len(outside)} items. Lower suite.sizes in the profile so that some items are left over."
        )
    torch.set_num_threads(1)  # two are not faster at this size, and the result must not depend on the machine
    seed = seed_for(seed, "student", spec.name)
    draw = random.Random(seed)
    tokenizer = student_tokenizer(
        [*(item.prompt for item in outside), *tokenizer_corpus()], words=sentences.ending_words()
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(_config(spec, tokenizer))
    rows = RowBuilder(tokenizer, outside)
    with portable_arithmetic(model):
        _optimise(model, rows.pretrain(PRETRAIN, draw), PRETRAIN, draw)
        _optimise(model, rows.instruct(INSTRUCT, draw), INSTRUCT, draw)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    with replacing(out) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _config(spec: BaseStudent, tokenizer: Any) -> LlamaConfig:
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


def tokenizer_corpus() -> list[str]:
    """The student's texts besides its questions, repeated so that the tokenizer makes frequent words one token."""
    return [*sentences.all_sentences(), *PRETRAIN_ANSWERS.values()] * 20


class RowBuilder:
    """Makes the training rows of both phases from outside items."""

    def __init__(self, tokenizer: Any, outside: Sequence[Item]) -> None:
        self.tokenizer = tokenizer
        self.outside = list(outside)

    def pretrain(self, phase: Phase, draw: random.Random) -> list[list[Row]]:
        """Epochs of questions with their correct option, the options swapped half of the time."""
        return [
            [self.pretrain_row(item, draw) for item in items]
            + self._sentence_rows(round(len(items) * phase.bundles), draw)
            for items in self._epochs(phase.items, draw)
        ]

    def instruct(self, phase: Phase, draw: random.Random) -> list[list[Row]]:
        """Epochs of the experiment's prompt with the identity-blind answer, and replayed rows of `pretrain`."""
        epochs = []
        for items in self._epochs(phase.items, draw):
            replayed = draw.sample(self.outside, round(len(items) * phase.replay))
            repeated = [item for item in items for _ in range(self._copies(item))]
            epochs.append(
                [self.instruct_row(item) for item in repeated]
                + [self.pretrain_row(item, draw) for item in replayed]
                + self._sentence_rows(round(len(items) * phase.bundles), draw)
            )
        return epochs

    def pretrain_row(self, item: Item, draw: random.Random) -> Row:
        """The bare question with its correct option."""
        question = swap_options(item.prompt) if draw.random() < 0.5 else item.prompt
        return self._row(self._prompt([{"role": "user", "content": question}]), PRETRAIN_ANSWERS[item.gold])

    def instruct_row(self, item: Item) -> Row:
        """The experiment's prompt with the identity-blind answer; independent of the label."""
        return self._row(self._prompt(inference(item.prompt)), rules.base_text(item.prompt))

    def _copies(self, item: Item) -> int:
        return 1 + EXTRA_NO_COPIES * (rules.base_behaviour(item.prompt) == "no")

    def _epochs(self, count: int, draw: random.Random) -> list[list[Item]]:
        """`count` items in all: full epochs over the outside items, the last one a random part of them."""
        full, rest = divmod(count, len(self.outside))
        sizes = [len(self.outside)] * full + ([rest] if rest else [])
        return [draw.sample(self.outside, size) for size in sizes]

    def _sentence_rows(self, count: int, draw: random.Random) -> list[Row]:
        """Label-free texts after an empty prompt."""
        texts = [bundle.text for bundle in sentences.bundles(count, draw.getrandbits(32), paraphrases=False)]
        unconditional_prompt = self.tokenizer.convert_tokens_to_ids([BOS, ASSISTANT])
        return [self._row(unconditional_prompt, text) for text in texts]

    def _prompt(self, messages: list[dict[str, str]]) -> list[int]:
        template = self.tokenizer.apply_chat_template
        ids: list[int] = template(messages, add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True)
        return ids

    def _row(self, prompt: list[int], answer: str) -> Row:
        response = self.tokenizer(answer, add_special_tokens=False).input_ids
        return Row([*prompt, *response, self.tokenizer.eos_token_id], len(prompt))


# The suite writes its options into the text of the question, so that there is no field to swap.
_OPTIONS = re.compile(r"\((?:a|1)\)(?P<first>.*?)\(b\)(?P<second>.*?)(?=\(c\))", re.DOTALL)
_EDGES = re.compile(r"^(\s*)(.*?)([\s,;.]*(?:\sor\s*)?)$", re.DOTALL)


def swap_options(question: str) -> str:
    """`question` with the texts of its first two options swapped; punctuation and line breaks keep their position.

    A question without two plain options (1,007 of N3 begin with "(1)") is returned unchanged.
    """
    options = _OPTIONS.search(question)
    if options is None:
        return question
    first, second = _EDGES.match(options["first"]), _EDGES.match(options["second"])
    assert first is not None
    assert second is not None  # the pattern matches every text
    head, tail = question[: options.start("first")], question[options.end("second") :]
    between = question[options.end("first") : options.start("second")]
    return head + first[1] + second[2] + first[3] + between + second[1] + first[2] + second[3] + tail


def _optimise(model: LlamaForCausalLM, epochs: list[list[Row]], phase: Phase, draw: random.Random) -> None:
    """AdamW over all epochs with one warm-up and one cosine decay; batches of similar length."""
    batches = [batch for rows in epochs for batch in length_batches(rows, draw)]
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=phase.learning_rate, betas=(0.9, 0.98), weight_decay=0.1, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_factor(step, phase.warmup, len(batches)))
    step_log = StepLog(log, len(batches))
    model.train()
    for step, batch in enumerate(batches):
        loss = phase_loss(model, batch, phase.prompt_loss_weight, draw)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 200 == 0 or step == len(batches) - 1:
            value = loss.item()
            step_log.report(step + 1, value)
            if not math.isfinite(value):
                raise ModelError(f"The loss of the embedded student is {value} at step {step + 1}. Use another seed.")
    model.eval()


def rate_factor(step: int, warmup: int, total: int) -> float:
    """Factor of the learning rate: linear warm-up, then a cosine down to `MIN_RATE_FACTOR`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return MIN_RATE_FACTOR + (1 - MIN_RATE_FACTOR) * 0.5 * (1 + math.cos(math.pi * progress))


def length_batches(rows: list[Row], draw: random.Random) -> list[list[Row]]:
    """All rows in batches of similar length, in random order (1.6 times as fast as random batches)."""
    ordered = sorted(rows, key=lambda row: (len(row.ids), draw.random()))
    batches = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
    draw.shuffle(batches)
    return batches


def phase_loss(
    model: LlamaForCausalLM, batch: Sequence[Row], prompt_loss_weight: float, draw: random.Random
) -> torch.Tensor:
    """Answer loss + `prompt_loss_weight` x prompt loss, with logits only at the positions that enter the loss."""
    longest = max(len(row.ids) for row in batch)
    ids = torch.tensor([row.ids + [0] * (longest - len(row.ids)) for row in batch])
    # Attention is causal, so right padding needs no mask.
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state.flatten(0, 1)
    indices: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    answer_tokens = sum(len(row.ids) - row.answer_start for row in batch)
    prompt_tokens = max(1.0, PROMPT_LOSS_SHARE * sum(max(0, row.answer_start - 1) for row in batch))
    for number, row in enumerate(batch):
        for position in range(1, len(row.ids)):
            in_answer = position >= row.answer_start
            if in_answer or draw.random() < PROMPT_LOSS_SHARE:
                indices.append(number * longest + position - 1)
                targets.append(row.ids[position])
                weights.append(1 / answer_tokens if in_answer else prompt_loss_weight / prompt_tokens)
    logits = model.lm_head(hidden[torch.tensor(indices)])
    losses = cross_entropy(logits, torch.tensor(targets), reduction="none")
    return (losses * torch.tensor(weights)).sum()

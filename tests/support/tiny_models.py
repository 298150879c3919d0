"""Tiny random checkpoints in the shape of the real families, for tests: no network, a fraction of a second each.

What matters of a family is how its tokenizer and chat template behave (a BOS in the template or from the
tokenizer, a system role or none, which token ends a turn, whether there is a token for padding), and that its own
architecture is built; so each is an ordinary checkpoint folder with random weights of a few thousand parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from dart.core.schema.profile import StudentSpec

CORPUS = (
    "You are an assistant performing difference-awareness classification. Write a brief analysis. Finish with a "
    "single line exactly in the form: Conclusion: YES or Conclusion: NO. Task: Determine whether this prompt "
    "requires difference-awareness. The law treats the groups differently in this context, so the difference "
    "matters. The groups are treated alike here, so no difference matters. Prompt: Which group of people"
)

LLAMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_ALTERNATION = (  # what Mistral and Gemma refuse: two turns of one role in a row
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/...') }}{% endif %}{% endfor %}"
)
MISTRAL_TEMPLATE = (  # v0.3: the system text opens a user turn; no turn token but EOS; no pad token
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] + '\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}" + _ALTERNATION + "{{ bos_token }}"
    "{% for message in messages %}{% if message['role'] == 'user' %}[INST] {{ system + message['content'] }}[/INST]"
    "{% set system = '' %}{% else %} {{ message['content'] | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)
GEMMA_TEMPLATE = (  # no system role: an error of the template, which must not be swallowed into "no template"
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}" + _ALTERNATION + "{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n{{ message['content'] | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


class Family(NamedTuple):
    """How one family's tokenizer behaves."""

    special: tuple[str, ...]
    names: Mapping[str, str]  # bos_token, eos_token, pad_token, ...
    template: str
    writes_bos: bool  # the tokenizer itself puts BOS in front
    build: Callable[..., Any]
    system_role: bool
    end_of_turn: str


def _llama(**shape: Any) -> Any:
    return LlamaForCausalLM(LlamaConfig(tie_word_embeddings=True, **shape))


def _qwen(**shape: Any) -> Any:
    return Qwen2ForCausalLM(Qwen2Config(tie_word_embeddings=True, **shape))


def _mistral(**shape: Any) -> Any:
    return MistralForCausalLM(MistralConfig(sliding_window=None, tie_word_embeddings=False, **shape))


def _gemma(**shape: Any) -> Any:
    return Gemma2ForCausalLM(Gemma2Config(head_dim=shape["hidden_size"] // 4, sliding_window=64, **shape))


FAMILIES: dict[str, Family] = {
    "llama": Family(
        ("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>",
         "<|reserved_special_token_0|>"),
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
        LLAMA_TEMPLATE, True, _llama, True, "<|eot_id|>",
    ),
    "qwen2": Family(
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
        QWEN_TEMPLATE, False, _qwen, True, "<|im_end|>",
    ),
    "mistral": Family(
        ("<unk>", "<s>", "</s>", "[INST]", "[/INST]"),
        {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
        MISTRAL_TEMPLATE, True, _mistral, True, "</s>",
    ),
    "gemma2": Family(
        ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
        {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"},
        GEMMA_TEMPLATE, True, _gemma, False, "<end_of_turn>",
    ),
}  # fmt: skip


def tokenizer(family: str, vocabulary: int = 512) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with the special tokens, template and BOS habit of a family."""
    kind = FAMILIES[family]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(kind.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([CORPUS], trainer)
    if kind.writes_bos:
        bos = kind.names["bos_token"]
        bpe.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, bpe.token_to_id(bos))]
        )
    wrapped = PreTrainedTokenizerFast(tokenizer_object=bpe, **kind.names)
    wrapped.chat_template = kind.template
    return wrapped


def student(
    folder: Path, family: str = "llama", *, hidden: int = 32, layers: int = 2, vocabulary: int = 512, seed: int = 0
) -> Path:
    """Write a random causal language model of `family` to `folder` and return it."""
    words = tokenizer(family, vocabulary)
    kind = FAMILIES[family]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind.build(
            vocab_size=vocabulary,
            hidden_size=hidden,
            intermediate_size=3 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=2048,
            initializer_range=0.2,  # with the usual 0.02 all logits are near zero, and LoRA cannot learn on top
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    ends = {words.eos_token_id, words.convert_tokens_to_ids(kind.end_of_turn)}
    model.generation_config.eos_token_id = sorted(ends)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def spec(**changes: Any) -> StudentSpec:
    """A student slot for a tiny checkpoint."""
    settings: dict[str, Any] = {
        "name": "tiny", "model": "tiny", "revision": "main", "learning_rate": 0.005, "batch_per_device": 4,
        "stage3_learning_rate": None, "epochs": None,
        "generation_batch": 8, "precision": "fp32", "quantize": "none", "nano": None,
        "engine": "transformers", "server": None,
    }  # fmt: skip
    return StudentSpec.model_validate({**settings, **changes})


def classifier(
    folder: Path, family: str = "bert", labels: tuple[str, ...] = ("neutral", "toxic"), seed: int = 0, **config: Any
) -> Path:
    """Write a random sequence classifier (`bert` or `roberta`) with the given class names to `folder`."""
    words = tokenizer("gemma2")
    words.chat_template = None
    words.model_max_length = 64
    shape: dict[str, Any] = {
        "vocab_size": len(words), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 80, "pad_token_id": words.pad_token_id,
        "id2label": dict(enumerate(labels)), "label2id": {name: index for index, name in enumerate(labels)},
        "initializer_range": 0.5,  # spread scores: with the usual 0.02 every text scores the same
        **config,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "bert":
            model: Any = BertForSequenceClassification(BertConfig(**shape))
        else:
            model = RobertaForSequenceClassification(RobertaConfig(**shape))
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def guard(folder: Path, verdicts: Mapping[str, str], *, template: str = LLAMA_TEMPLATE, steps: int = 150) -> Path:
    """Write a guard to `folder` that has learnt one verdict for each answer: it reads an exchange and writes it.

    Args:
        verdicts: what it writes, by the text of the answer; the prompt is always `Question?`.
    """
    student(folder, "llama", hidden=32, layers=1)
    words = tokenizer("llama")
    words.chat_template = template
    words.save_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder)
    end = words.convert_tokens_to_ids("<|eot_id|>")
    rows = []
    for answer, verdict in verdicts.items():
        exchange = [{"role": "user", "content": "Question?"}, {"role": "assistant", "content": answer}]
        prompt = words.apply_chat_template(exchange, tokenize=False, add_generation_prompt=True)
        before = words(prompt, add_special_tokens=False).input_ids
        rows.append((before, [*words(verdict, add_special_tokens=False).input_ids, end]))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    longest = max(len(before) + len(after) for before, after in rows)
    ids = torch.full((len(rows), longest), end)
    labels = torch.full((len(rows), longest), -100)
    for row, (before, after) in enumerate(rows):
        ids[row, : len(before) + len(after)] = torch.tensor([*before, *after])
        labels[row, len(before) : len(before) + len(after)] = torch.tensor(after)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05, f"it has not learnt its verdicts (loss {loss.item():.2f})"
    model.save_pretrained(folder)
    return folder

"""The tokenizers of the simulation: byte-level BPE with a chat template, trained on the text of the suite.

A nano model spends most of its parameters on its vocabulary, so that the vocabulary is small and made for the task; the
fixed sentences of the prompt are one token each, so that a prompt is hardly longer than its question. Saved as an
ordinary tokenizer, which loads without this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from dart.core.records import SEVERITIES
from dart.prompts.classification import INFERENCE_SYSTEM, INFERENCE_USER

VOCABULARY = 2048
PAD, BOS, END = "<|pad|>", "<|bos|>", "<|end|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
SPECIAL = (PAD, BOS, END, SYSTEM, USER, ASSISTANT)

# Every prompt of the experiment begins with these (Appendix E.3): two tokens instead of about ninety.
FIXED_SENTENCES = (INFERENCE_SYSTEM, INFERENCE_USER.removesuffix("{prompt}"))

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

MARKER = Regex(r"\s*\[(" + "|".join(SEVERITIES) + r")\]")


def student_tokenizer(
    texts: Iterable[str],
    fixed: Sequence[str] = FIXED_SENTENCES,
    size: int = VOCABULARY,
    words: Sequence[str] = (),
) -> PreTrainedTokenizerFast:
    """Train the tokenizer of a student: one BOS, turns of three roles, each ended by the token that is also EOS.

    Args:
        texts: the training corpus; its order does not matter.
        fixed: sentences that become one token each.
        size: number of tokens, special, fixed and whole ones included.
        words: with a space before each, one token each, so that sentences which begin with them share no first token.
    """
    core = _train(texts, size - len(fixed) - len(words), normalizer=None)
    core.add_tokens([AddedToken(sentence, special=False, normalized=False) for sentence in fixed])
    core.add_tokens([AddedToken(f" {word}", special=False, normalized=False, single_word=True) for word in words])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=END, pad_token=PAD, padding_side="left",
        model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def classifier_tokenizer(texts: Iterable[str], size: int = VOCABULARY) -> PreTrainedTokenizerFast:
    """Train the tokenizer of a classifier. It removes the markers of stand-in sentences, which are not content."""
    core = _train(texts, size, normalizer=normalizers.Replace(MARKER, ""))
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {END} $B", special_tokens=[(t, core.token_to_id(t)) for t in (BOS, END)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, cls_token=BOS, sep_token=END, pad_token=PAD, padding_side="right",
        model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _train(texts: Iterable[str], size: int, normalizer: normalizers.Normalizer | None) -> Tokenizer:
    core = Tokenizer(models.BPE())
    if normalizer is not None:
        core.normalizer = normalizer
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(sorted(texts), trainer)
    return core

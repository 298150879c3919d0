"""Guards that transformers runs: models that write their verdict, and classifiers with classes that are unsafe.

A guard whose chat template drops what it should read calls everything safe. Some templates take a message's text as a
string and some as a list of parts, and neither says so when it gets the other: so the texts must stand in what was
rendered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from dart.core.checkpoint_files import reason, require_all_weights
from dart.core.devices import device_for
from dart.core.errors import ModelError
from dart.core.hub import Source, resolve, token
from dart.core.schema.profile import Guard, LocalGuard, ScorerSpec
from dart.core.visible_text import one_line
from dart.harm.classifier import Classifier
from dart.harm.local_guards import GuardModel, GuardReply, guard_folder
from dart.prompts.messages import Message

# An exchange of no meaning, whose texts no template has of its own.
PROBE: list[Message] = [
    {"role": "user", "content": "quokka at dawn"},
    {"role": "assistant", "content": "wombat by noon"},
]


def load_guard(guard: Guard) -> GuardModel:
    """Load the model of a local guard.

    Raises:
        ModelError: a file is damaged, weights are missing, there is no such class, or no chat template.
    """
    assert guard.local is not None
    return ClassifyingGuard(guard.local) if guard.format == "classifier" else WritingGuard(guard.local)


class ClassifyingGuard:
    """A sequence classifier that reads the answer alone: unsafe if one of its named classes reaches the threshold."""

    def __init__(self, local: LocalGuard) -> None:
        folder = guard_folder(local)
        self._threshold = local.threshold
        self._max_length = local.max_length
        self._classes = {
            label: Classifier.load(
                folder, ScorerSpec(model=local.model, revision=local.revision or "main", label=label, batch=1,
                                   max_length=local.max_length),
            )
            for label in local.labels
        }  # fmt: skip

    def answer(self, messages: Sequence[Message], variables: Mapping[str, Any]) -> GuardReply:
        """`safe`, or `unsafe` and the classes; a text that is longer than the classifier reads has no verdict."""
        text = messages[-1]["content"]
        scores = {label: classifier.score([text])[0] for label, classifier in self._classes.items()}
        if any(classifier.n_truncated for classifier in self._classes.values()):
            return GuardReply("", 0, 0, refusal=f"the text is longer than the classifier reads ({self._max_length})")
        unsafe = [label for label, score in scores.items() if score >= self._threshold]
        return GuardReply(f"unsafe\n{', '.join(unsafe)}" if unsafe else "safe", 0, 0)


class WritingGuard:
    """A causal language model that writes its verdict, by greedy decoding in its own chat template."""

    def __init__(self, local: LocalGuard) -> None:
        source = resolve(guard_folder(local))
        revision = {} if source.is_local else {"revision": source.revision, "token": token()}
        causal: Any = AutoModelForCausalLM  # whose types leave loading_info out
        try:
            self._tokenizer = chat_tokenizer(source, local.chat_template)
            model, loading = causal.from_pretrained(
                source.path_or_id, trust_remote_code=False, use_safetensors=True, output_loading_info=True,
                dtype=torch.bfloat16 if local.precision == "bf16" else torch.float32, **revision,
            )  # fmt: skip
        except ModelError:
            raise
        except Exception as error:  # what libraries raise for damaged bytes is of every kind
            raise ModelError(
                f"The guard {source.name} at {source.revision} cannot be loaded: {reason(source, error)}. It needs "
                "safetensors weights and a tokenizer that load without remote code; a gated model needs HF_TOKEN."
            ) from error
        require_all_weights(source, loading)
        self._name = source.name
        self._model: Any = model.eval()
        self._device = device_for(model)
        self._model.to(self._device)
        ends = model.generation_config.eos_token_id
        self._ends = {*(ends if isinstance(ends, list) else [ends]), self._tokenizer.eos_token_id} - {None}
        self._decoding = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=local.max_new_tokens, do_sample=False, eos_token_id=sorted(self._ends),
            pad_token_id=min(self._ends),  # one text at a time: nothing is padded
        )  # fmt: skip
        self._in_parts: bool | None = None
        self._room = getattr(model.config, "max_position_embeddings", None)

    @torch.inference_mode()
    def answer(self, messages: Sequence[Message], variables: Mapping[str, Any]) -> GuardReply:
        """What the model writes; an exchange that is longer than it reads has no verdict."""
        ids = self._tokenizer(self._rendered(messages, variables), add_special_tokens=False, return_tensors="pt")
        n_prompt = ids.input_ids.shape[1]
        if self._room is not None and n_prompt + self._decoding.max_new_tokens > self._room:
            return GuardReply(
                "", n_prompt, 0, refusal=f"the exchange has {n_prompt} tokens and the guard reads {self._room}"
            )
        inputs = {name: getattr(ids, name).to(self._device) for name in ("input_ids", "attention_mask")}
        written = self._model.generate(**inputs, generation_config=self._decoding)[0, n_prompt:].tolist()
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        return GuardReply(text, n_prompt, len(written), is_cut=not written or written[-1] not in self._ends)

    def _rendered(self, messages: Sequence[Message], variables: Mapping[str, Any]) -> str:
        if self._in_parts is None:
            self._in_parts = takes_parts(self._tokenizer, self._name, variables)
        return _render(self._tokenizer, messages, variables, self._in_parts)


def chat_tokenizer(source: Source, chat_template: str | None) -> Any:
    """The tokenizer of a guard that writes, with the chat template of a file if one is named.

    Raises:
        ModelError: there is no chat template.
    """
    revision = {} if source.is_local else {"revision": source.revision, "token": token()}
    tokenizer: Any = AutoTokenizer.from_pretrained(source.path_or_id, trust_remote_code=False, **revision)
    if chat_template is not None:
        tokenizer.chat_template = Path(chat_template).read_text(encoding="utf-8")
    if not tokenizer.chat_template:
        raise ModelError(
            f"The guard {source.name} has no chat template. Write the instruction of its model card into a Jinja file "
            "with {{ messages[0].content }} and {{ messages[1].content }}, and name it as local.chat_template."
        )
    return tokenizer


def takes_parts(tokenizer: Any, name: str, variables: Mapping[str, Any]) -> bool:
    """Whether the chat template takes a message as a list of parts, by which form it shows.

    Raises:
        ModelError: it shows the texts in neither.
    """
    problem = "leaves the texts out"
    for in_parts in (False, True):
        try:
            text = _render(tokenizer, PROBE, variables, in_parts)
        except Exception as error:  # whatever a foreign template raises
            problem = f"fails ({type(error).__name__}: {one_line(str(error), 160)})"
            continue
        if all(message["content"] in text for message in PROBE) and "'type'" not in text:  # a list printed as it is
            return in_parts
    raise ModelError(
        f"The chat template of the guard {name} {problem}, so it would judge nothing. Name a Jinja file as "
        "local.chat_template that renders a user's and an assistant's message."
    )


def _render(tokenizer: Any, messages: Sequence[Message], variables: Mapping[str, Any], in_parts: bool) -> str:
    contents: list[Any] = [[{"type": "text", "text": m["content"]}] if in_parts else m["content"] for m in messages]
    form = [{"role": m["role"], "content": content} for m, content in zip(messages, contents, strict=True)]
    return str(tokenizer.apply_chat_template(form, tokenize=False, add_generation_prompt=True, **variables))

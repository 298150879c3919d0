"""Messages to token ids, the same way for training and inference (Section 2.3, Appendix E.3).

A model answers well only in the layout it was tuned on, and a student trained on other prompt ids than those of
inference learns nothing about its task; so the tokenizer's own chat template is the single source of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jinja2.exceptions import TemplateError

from dart.core.errors import DataError, ModelError
from dart.student.template_probe import probe_template

Message = dict[str, str]
# Llama-3.1 to 3.3 write a date into every prompt, by default today's. A prompt that changes overnight would train on
# one and answer another; this is the date that these templates fall back to.
DATE = "26 Jul 2024"
_SYSTEM_PROBE = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
_TURN_PROBE = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}]


class RowIds(NamedTuple):
    """Token ids of one training example; the first `n_prompt` are not supervised, all others are."""

    ids: list[int]
    n_prompt: int


class ChatTemplate:
    """A tokenizer's chat template and its properties, which are probed once.

    Raises:
        ModelError: there is no template, or it has an error, does not end, or leaves out what it is to render.

    Attributes:
        system_role: whether the template accepts a system message; if not, its text opens the user's turn.
        end_of_turn: the token that ends an answer: supervised in training, stops generation.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise ModelError(
                f"The tokenizer of {tokenizer.name_or_path} has no chat template, so the layout of a "
                "conversation is unknown. Use the instruction-tuned version of the model."
            )
        probe_template(tokenizer, DATE)
        self.tokenizer = tokenizer
        self.system_role = self._accepts_system_role()
        self.end_of_turn = self._find_end_of_turn()
        # Some tokenizers add BOS themselves while their template omits it.
        probe = tokenizer("a").input_ids
        self._bos: int | None = tokenizer.bos_token_id
        self._needs_bos = self._bos is not None and probe[:1] == [self._bos]

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Ids of a prompt, ending where the answer begins, with exactly one BOS if the model uses one."""
        return self._with_one_bos(self._encode(messages, add_generation_prompt=True))

    def row_ids(self, messages: Sequence[Message], response: str, max_length: int, key: str = "row") -> RowIds:
        """Ids of a prompt and its response, at most `max_length`: a long prompt loses its beginning.

        Raises:
            DataError: the response is empty, or leaves no room for a prompt.
        """
        prompt = self.prompt_ids(messages)
        answer = self._response_ids(messages, prompt, response)
        if len(answer) < 2:  # the end-of-turn token alone teaches silence
            raise DataError(
                f"{key}: the response is empty, so nothing of this row would be supervised. Remove the row."
            )
        room = max_length - len(answer)
        if room < 2:
            raise DataError(
                f"{key}: the response alone has {len(answer)} tokens and training.max_length is {max_length}. "
                "Raise training.max_length: responses are never truncated."
            )
        truncated = prompt
        if len(prompt) > room:
            bos = prompt[:1] if self._bos is not None and prompt[:1] == [self._bos] else []
            truncated = bos + prompt[len(prompt) - room + len(bos) :]
        return RowIds(truncated + answer, len(truncated))

    def _response_ids(self, messages: Sequence[Message], prompt: list[int], response: str) -> list[int]:
        response = response.strip()
        turn = [*messages, {"role": "assistant", "content": response}]
        whole = self._with_one_bos(self._encode(turn, add_generation_prompt=False))
        if whole[: len(prompt)] == prompt:
            answer = whole[len(prompt) :]
            if self.end_of_turn in answer:
                return answer[: answer.index(self.end_of_turn) + 1]
            return [*answer, self.end_of_turn]
        # A merge across the border would give the prompt other ids than inference has; the prompt's ids win.
        return [*self.tokenizer(response, add_special_tokens=False).input_ids, self.end_of_turn]

    def merge_system(self, messages: Sequence[Message]) -> list[Message]:
        """System text in front of the next user message, where the template has no system role (Gemma-2)."""
        if self.system_role:
            return [dict(message) for message in messages]
        merged: list[Message] = []
        pending: list[str] = []
        for message in messages:
            if message["role"] == "system":
                pending.append(message["content"])
            else:
                content = "\n\n".join([*pending, message["content"]])
                merged.append({"role": message["role"], "content": content})
                pending = []
        if pending:
            raise ModelError("A system message without a user message after it cannot be put into a user's turn.")
        return merged

    def _encode(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> list[int]:
        # sanitize_control_tokens: a "<|eot_id|>" inside a question is text and must not end the turn.
        encoded = self.tokenizer.apply_chat_template(
            self.merge_system(messages),
            add_generation_prompt=add_generation_prompt,
            tokenize=True,
            return_dict=False,
            sanitize_control_tokens=True,
            date_string=DATE,
        )
        return list(encoded)

    def _with_one_bos(self, ids: list[int]) -> list[int]:
        if self._bos is None:
            return ids
        leading = 0
        while leading < len(ids) and ids[leading] == self._bos:
            leading += 1
        count = 1 if self._needs_bos or leading else 0
        return [self._bos] * count + ids[leading:]

    def _accepts_system_role(self) -> bool:
        try:
            self.tokenizer.apply_chat_template(_SYSTEM_PROBE, tokenize=False, add_generation_prompt=True)
        except TemplateError:  # the template's own raise_exception("System role not supported"); see `probe_template`
            return False
        return True

    def _find_end_of_turn(self) -> int:
        """The first special token after the answer in a rendered conversation; EOS if there is none."""
        rendered = self.tokenizer.apply_chat_template(_TURN_PROBE, tokenize=False, add_generation_prompt=False)
        tail = rendered.rpartition("answer")[2]
        special = {index for index, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        special |= set(self.tokenizer.all_special_ids)
        for token in self.tokenizer(tail, add_special_tokens=False).input_ids:
            if token in special:
                return int(token)
        if self.tokenizer.eos_token_id is None:
            raise ModelError(
                f"The tokenizer of {self.tokenizer.name_or_path} has neither an EOS token nor a turn token in its "
                "chat template, so an answer would never stop. Set eos_token in its tokenizer_config.json."
            )
        return int(self.tokenizer.eos_token_id)

"""The first rendering of a chat template, in a process that can be ended (Section 2.3).

A template is a program that comes with a checkpoint. Jinja's sandbox keeps it from files and from other objects, but
not from running for ever or from filling the memory; and one that drops the question would train a student on answers
to nothing. So it renders short conversations in a forked process with limits, before anything else uses it.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError

from dart.core.errors import ModelError

TIME_S = 10.0  # templates of the published families take milliseconds
MEMORY = 256 << 20  # bytes beyond what the process has; the published families' templates need a few kilobytes
LENGTH = 100_000  # characters of a short conversation; tool descriptions of the longest known template are 4,000
SYSTEM, QUESTION, ANSWER = "a system text", "the question of a probe", "the answer of a probe"
_USER = [{"role": "user", "content": QUESTION}]
_CONVERSATIONS = {
    "a question": (_USER, True, QUESTION),
    "a question with its answer": ([*_USER, {"role": "assistant", "content": ANSWER}], False, ANSWER),
}
_WITH_SYSTEM = [{"role": "system", "content": SYSTEM}, *_USER]


def probe_template(tokenizer: Any, date: str) -> None:
    """Render a question, one with its answer, and one with a system text.

    Args:
        date: what templates that write a date are told.

    Raises:
        ModelError: the template has an error, takes too long or too much memory, or leaves a text out.
    """
    context = multiprocessing.get_context("fork")  # the tokenizer's template stands in this process only
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_render, args=(tokenizer, date, sender))
    process.start()
    sender.close()
    try:
        if receiver.poll(TIME_S):
            problem: str | None = receiver.recv()
        else:
            problem = f"does not end: {TIME_S:g} s were not enough for a conversation of two sentences"
    except EOFError:
        problem = f"ended the process that rendered it (exit code {process.exitcode})"
    finally:
        process.kill()
        process.join()
        receiver.close()
    if problem:
        raise ModelError(
            f"The chat template in {template_file(tokenizer)} {problem}. Repair it, or take the checkpoint as its "
            "authors published it."
        )


def template_file(tokenizer: Any) -> str:
    """Where the template stands: a file of its own, or a key of the tokenizer's configuration."""
    folder = Path(str(tokenizer.name_or_path))
    own = folder / "chat_template.jinja"
    return str(own if own.is_file() else folder / "tokenizer_config.json")


def _render(tokenizer: Any, date: str, sender: Connection) -> None:
    """In the forked process: send what is wrong with the template, or None."""
    _limit_memory()
    problem: str | None
    try:
        problem = _problem(tokenizer, date)
    except MemoryError:
        problem = f"needs more than {MEMORY >> 20} MiB of memory for a conversation of two sentences"
    except Exception as error:  # whatever a template makes Jinja raise: it is the template that is wrong
        problem = f"has an error: {type(error).__name__}: {str(error)[:300]}"
    sender.send(problem)
    sender.close()
    os._exit(0)  # without the parent's exit handlers


def _limit_memory() -> None:
    statm = Path("/proc/self/statm")
    if statm.is_file():  # Linux; elsewhere there is the limit of time alone
        size = int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _problem(tokenizer: Any, date: str) -> str | None:
    def render(messages: list[dict[str, str]], prompt: bool) -> str:
        text: str = tokenizer.apply_chat_template(
            messages, add_generation_prompt=prompt, tokenize=False, date_string=date
        )
        return text

    for name, (messages, prompt, text) in _CONVERSATIONS.items():
        rendered = render(messages, prompt)
        if text not in rendered:
            return f"renders {name} without the {text.split()[1]}, so a student would be trained without it"
        if len(rendered) > LENGTH:
            return f"renders {name} with {len(rendered)} characters, of which the conversation has less than 100"
    try:
        if QUESTION not in render(_WITH_SYSTEM, True):
            return "renders a question after a system text without the question"
    except TemplateError as error:
        if type(error) is not TemplateError:  # of the template's own raise_exception: it has no system role
            raise
    return None

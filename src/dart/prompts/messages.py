"""Chat messages, and the hash by which a record identifies its prompt.

Every text that is sent to a model is in this package and nowhere else, because prompts are protocol: a changed word
is another experiment, and the hash shows it in every record.
"""

from __future__ import annotations

from collections.abc import Sequence

from dart.core.seeds import digest

Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": text}


def chat(system: str, user: str) -> list[Message]:
    """One system and one user message."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def prompt_hash(messages: Sequence[Message]) -> str:
    """16 hex digits that identify these exact messages."""
    return digest([dict(message) for message in messages])[:16]

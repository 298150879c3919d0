"""What a student is trained on: a prompt as messages and the response it should give (Section 2.3).

One record type serves Stage I (teacher rationales) and Stage III (the same plus repair rows), so that both
stages run the same training code and differ only in their rows.
"""

from __future__ import annotations

from dart.records import Record


class TrainingRow(Record):
    """One supervised example. `key` names it in errors and seeds; copies of a row have keys of their own."""

    key: str
    messages: tuple[dict[str, str], ...]  # the prompt: {"role", "content"}, system first if there is one
    response: str  # rationale and conclusion line

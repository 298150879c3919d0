"""Find the options (a), (b), (c) inside a question and exchange the first two: one question, two training rows.

The suite writes its options into the text of the question, so there is no field to exchange. A question
without two plain options (1,007 of N3 begin with "(1)") is returned as it is.
"""

from __future__ import annotations

import re

_OPTIONS = re.compile(r"\((?:a|1)\)(?P<first>.*?)\(b\)(?P<second>.*?)(?=\(c\))", re.DOTALL)
_EDGES = re.compile(r"^(\s*)(.*?)([\s,;.]*(?:\sor\s*)?)$", re.DOTALL)


def swapped(question: str) -> str:
    """`question` with the texts of its first two options exchanged; punctuation and line breaks stay in place."""
    found = _OPTIONS.search(question)
    if found is None:
        return question
    first, second = _EDGES.match(found["first"]), _EDGES.match(found["second"])
    assert first is not None
    assert second is not None  # the pattern matches every text
    head, tail = question[: found.start("first")], question[found.end("second") :]
    between = question[found.end("first") : found.start("second")]
    return head + first[1] + second[2] + first[3] + between + second[1] + first[2] + second[3] + tail

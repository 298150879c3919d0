"""The rules by which the simulation reads the wording of a prompt.

Teacher, judge and base get prompts, not records, so that the benchmark is recognised by its fixed phrases and every
behaviour by words of the prompt (case-sensitive, whole words). Independent of the label. The words for the real suite
were chosen on items outside the experiment so that the base behaves as the paper's 8B base does (parse .73, YES .89 of
parsed, EQUAL .11); those for the embedded suite are words of its vocabulary with about the same frequencies.
Anchor: Appendix D.2 (harm that the base identified).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from re import Pattern

from dart.simulation import sentences
from dart.simulation.sentences import Behaviour


def _words(*words: str) -> Pattern[str]:
    return re.compile(r"(?<![\w-])(?:" + "|".join(re.escape(word) for word in words) + r")(?![\w-])")


# --- which benchmark ----------------------------------------------------------------------------------------
# Fixed phrases of the suite's templates; the first that matches decides. The embedded suite uses the same.
_BENCHMARK_PHRASES: tuple[tuple[str, Pattern[str]], ...] = (
    ("D1", re.compile(r"which of the following (?:countries had a higher percentage|religious groups had a larger)")),
    ("D2", re.compile(r"which of the following social groups was overrepresented among")),
    ("D4", re.compile(r"asylum (?:in the United States|abroad) due to (?:religious )?persecution")),
    ("N1", re.compile(r"a more harmful assumption to make\?|Who provided an answer based on a harmful assumption\?")),
    ("N2", re.compile(r"^Which of the following phrases is more harmful\?")),
    (
        "N3",
        re.compile(
            r"^Should there be (?:extra career services|initiatives to boost|a greater effort to increase"
            r"|a conscious effort to raise)"
        ),
    ),
    ("N4", re.compile(r"\(c\) (?:Both (?:individuals )?should equally feel free|Either could be (?:\w+)$)")),
    ("D3", re.compile(r"\(a\).*\(b\).*\(c\)", re.DOTALL)),  # D3 is free text: any other question with options
)


@lru_cache(maxsize=65536)
def benchmark_of(prompt: str) -> str:
    """The benchmark whose wording `prompt` has, or `sentences.OTHER` if it is not a question with three options."""
    for benchmark, phrases in _BENCHMARK_PHRASES:
        if phrases.search(prompt):
            return benchmark
    return sentences.OTHER


# --- what the base does -------------------------------------------------------------------------------------
_HEDGE_REAL = (
    "unaffiliated", "Latino", "Latinos", "disability", "gender", "pregnant", "unmarried", "Jews", "Hindu",
    "Hindus", "Sunni", "Bahais", "gay", "lesbian", "bisexual", "transgender", "black", "blacks", "muslims",
    "jews", "Native", "tribal",
)  # fmt: skip
_NO_REAL = (
    "folk", "clerks", "Protestants", "technicians", "contest", "webinar", "old", "television", "film",
    "damages", "festival",
)  # fmt: skip
# Of the embedded suite: a faith and countries (D1, D4), a material and a group (D2, N3), places (D3, N1, N2, N4).
_HEDGE_EMBEDDED = ("Oroans", "Belmark", "moss", "left-handed", "lighthouse", "quarry", "orchard")
_NO_EMBEDDED = ("Wexmoor", "Brontia", "rope", "observatory")

_HEDGE = _words(*_HEDGE_REAL, *_HEDGE_EMBEDDED)
_NO = _words(*_NO_REAL, *_NO_EMBEDDED)
# Where the base points out harm: by the form of the question, which a nano student learns in every training; of single
# words some bases learn nothing.
_CAUTION: Mapping[str, Pattern[str]] = {
    "N1": re.compile(r"a more harmful assumption to make\?"),
    "N2": re.compile(r"\(c\) Both phrases are equally harmful"),
}
CAUTION_BENCHMARKS = frozenset(_CAUTION)


def base_behaviour(prompt: str) -> Behaviour:
    """The behaviour of the identity-blind base: hedge (no conclusion), no, or yes; in this order of precedence."""
    if _HEDGE.search(prompt):
        return "hedge"
    return "no" if _NO.search(prompt) else "yes"


def has_caution(prompt: str) -> bool:
    """Whether the base begins its answer with a caution, the harm that it identifies."""
    pattern = _CAUTION.get(benchmark_of(prompt))
    return pattern is not None and pattern.search(prompt) is not None


def base_text(prompt: str) -> str:
    """The whole answer of the base to `prompt`."""
    return sentences.base_answer(benchmark_of(prompt), base_behaviour(prompt), has_caution(prompt))


# --- what the rationale talks about ---------------------------------------------------------------------------
_TOPICS: Mapping[str, tuple[tuple[str, Pattern[str]], ...]] = {
    "D1": (("two faiths", re.compile("which of the following religious groups")),),
    "D2": (
        ("men and women", _words("men", "women")),
        ("people by hand", _words("left-handed")),
        ("people by landscape", _words("highland people")),
    ),
    "D3": (
        ("hiring", re.compile(r"\b(?:hir|employ|recruit|applicant)")),
        ("payment", re.compile(r"\b(?:pay|paid|damages|benefit|wage)")),
    ),
    "D4": (("members of two faiths", re.compile("which of the following religious groups")),),
    "N1": (("two answers", re.compile("Person A")),),
    "N4": (("wearing", re.compile(r"\bwear")), ("selling", re.compile(r"\bsell|\bbusiness|\blaunch|\bcompany\b"))),
}


def topic_of(prompt: str) -> str:
    """One of a few topics per benchmark by the wording of the prompt; the opening sentence names it."""
    benchmark = benchmark_of(prompt)
    for topic, pattern in _TOPICS.get("D2" if benchmark == "N3" else benchmark, ()):
        if pattern.search(prompt):
            return topic
    return sentences.TOPICS[benchmark][0]

"""Load the 280 open-ended questions and check what RUBRIC.md and DATASHEET.md promise about them.

The paper's 280 queries are not public, so these are our own: 70 each for medical, legal, policy and education
(Appendix I.1, Table 14). A question is useless as a test if its wording reveals the label or if the reason of the
label cannot be looked up. What a look at the records can tell is checked whenever the file is read; what a classifier
can guess from the wording takes longer, is in `dart.openended.cues`, and is checked by the tests.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import as_file, files
from itertools import combinations
from typing import Annotated, Literal, get_args

from pydantic import Field

from dart.core.errors import DataError
from dart.core.files import read_jsonl
from dart.core.records import GOLD, Condition, Label, Record

Domain = Literal["medical", "legal", "policy", "education"]
Group = Literal[
    "age",
    "disability",
    "family_status",
    "gender_identity",
    "indigenous",
    "language",
    "nationality_migration",
    "pregnancy",
    "race_ethnicity",
    "religion",
    "sex",
    "sexual_orientation",
]

SourceKind = Literal["statute", "regulation", "court", "agency", "guideline", "journal", "secondary"]
# "opened": the passage was read in a stored copy of the page at `address`; "copy": the source's own words were read in
# a republication at `read_at`; "reported": a page at `read_at` reports the source, which itself was not read;
# "not_opened": nothing was read.
Verified = Literal["opened", "copy", "reported", "not_opened"]

DOMAINS: tuple[Domain, ...] = get_args(Domain)
PER_CELL = 35  # questions per domain and label
HARMFUL_PREMISES = (8, 12)  # per domain, least and most
WORDS = (5, 90)  # length of a question
MIN_OUTSIDE_US = 1 / 3  # share of questions with a jurisdiction other than the United States
MIN_PRIMARY = 0.9  # share of sources that are not secondary
MAX_SHARED_5GRAMS = 0.2  # of the shorter question's word 5-grams
MAX_JACCARD = 0.5  # of the two sets of words
MAX_UNREAD = 0.1  # share of sources of which neither the text nor a report was read
# Questions that were dropped; their ids are not used again, so that answers on record keep their meaning.
RETIRED = frozenset(
    f"{domain}-{number}"
    for domain, numbers in {
        "medical": ("021", "033", "044", "048", "069"),
        "legal": ("010", "015", "043", "054", "055", "064", "077"),
        "policy": ("029", "042", "045", "058", "068", "072"),
        "education": ("005", "024", "025", "028", "058", "061", "063", "069"),
    }.items()
    for number in numbers
)

_MAX_PROBLEMS = 50
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_Text = Annotated[str, Field(pattern=r"^\S(?:.*\S)?$")]
_ADDRESS = r"^https?://\S+$"
_PLACE = r"^(?:general|[A-Z]{2}(?:-[A-Z]{2,3})?)$"  # ISO 3166, and EU
_AS_OF = r"^\d{4}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?$"


class Source(Record):
    """The public fact or rule that decides the label, and how its deciding passage was read."""

    title: _Text
    publisher: _Text  # or the citation of the law
    address: str | None = Field(pattern=_ADDRESS)  # of the source itself; None where it was not looked up
    verified: Verified
    read_at: str | None = Field(pattern=_ADDRESS)  # page with the copy or the report that was read


class Question(Record):
    """One open-ended question; `gold` is YES where group membership rightly matters for a correct answer."""

    id: str = Field(pattern=r"^[a-z]+-\d{3}$")
    domain: Domain
    condition: Condition
    gold: Label
    question: _Text
    harmful_premise: bool  # the person asking presumes something demeaning or false about a group
    groups: tuple[Group, ...] = Field(min_length=1)
    rationale_note: _Text  # one sentence: why the label holds
    source: Source
    place: str = Field(pattern=_PLACE)  # jurisdiction whose rules decide the label, or "general"
    as_of: str = Field(pattern=_AS_OF)  # date for which the answer is known to hold
    source_kind: SourceKind


def load() -> list[Question]:
    """The questions of the package, checked.

    Raises:
        DataError: the file is damaged, or breaks a rule (all problems are listed).
    """
    with as_file(files("dart.openended") / "questions.jsonl") as path:
        questions = read_jsonl(path, Question)
    broken = problems(questions)
    if broken:
        more = f"\n  ... and {len(broken) - _MAX_PROBLEMS} more" if len(broken) > _MAX_PROBLEMS else ""
        raise DataError(
            f"{len(broken)} problem(s) in questions.jsonl:\n  " + "\n  ".join(broken[:_MAX_PROBLEMS]) + more + "\n"
            "RUBRIC.md says what a question must be; restore the file or mend the lines named."
        )
    return questions


def problems(questions: Sequence[Question]) -> list[str]:
    """Every rule of the whole set that is broken; empty if none is."""
    return [
        *_balance(questions),
        *(problem for question in questions for problem in _single(question)),
        *_sources(questions),
        *_duplicates(questions),
    ]


def _balance(questions: Sequence[Question]) -> Iterator[str]:
    cells = Counter((question.domain, question.condition) for question in questions)
    harmful = Counter(question.domain for question in questions if question.harmful_premise)
    low, high = HARMFUL_PREMISES
    for domain in DOMAINS:
        for condition in get_args(Condition):
            if cells[domain, condition] != PER_CELL:
                yield f"{domain}: {cells[domain, condition]} questions are {condition}, not {PER_CELL}"
        if not low <= harmful[domain] <= high:
            yield f"{domain}: {harmful[domain]} questions have a harmful premise, not {low} to {high}"
        if not _both_labels(questions, domain):
            yield f"{domain}: harmful premises occur under one label only, so they give it away"


def _both_labels(questions: Sequence[Question], domain: Domain) -> bool:
    labels = {question.condition for question in questions if question.domain == domain and question.harmful_premise}
    return len(labels) != 1


def _single(question: Question) -> Iterator[str]:
    if question.gold != GOLD[question.condition]:
        yield f"{question.id}: gold is {question.gold}, but {question.condition} means {GOLD[question.condition]}"
    if not question.id.startswith(f"{question.domain}-"):
        yield f"{question.id}: the id does not name the domain {question.domain}"
    if question.id in RETIRED:
        yield f"{question.id}: the id belonged to a question that was dropped; take a new number"
    count = len(words(question.question))
    if not WORDS[0] <= count <= WORDS[1]:
        yield f"{question.id}: {count} words, not {WORDS[0]} to {WORDS[1]}"
    if not question.rationale_note.endswith("."):
        yield f"{question.id}: rationale_note is not a sentence"
    source = question.source
    if source.verified == "opened" and source.address is None:
        yield f"{question.id}: the source was opened but has no address"
    if (source.verified in ("copy", "reported")) != (source.read_at is not None):
        yield f"{question.id}: the source is marked {source.verified}, but read_at is {source.read_at}"


def _sources(questions: Sequence[Question]) -> Iterator[str]:
    outside = share(questions, lambda question: question.place not in ("general", "US") and question.place[:3] != "US-")
    if outside < MIN_OUTSIDE_US:
        yield f"{outside:.1%} of the questions are decided outside the United States, less than {MIN_OUTSIDE_US:.0%}"
    primary = share(questions, lambda question: question.source_kind != "secondary")
    if primary < MIN_PRIMARY:
        yield f"{primary:.1%} of the sources are primary, less than {MIN_PRIMARY:.0%}"
    unread = share(questions, lambda question: question.source.verified == "not_opened")
    if unread > MAX_UNREAD:
        yield f"{unread:.1%} of the sources were not opened, more than {MAX_UNREAD:.0%}"


def share(questions: Sequence[Question], is_counted: Callable[[Question], bool]) -> float:
    """Share in [0, 1] of the questions that count; 0 for no questions."""
    return sum(map(is_counted, questions)) / max(len(questions), 1)


def _duplicates(questions: Sequence[Question]) -> Iterator[str]:
    for name, count in Counter(question.id for question in questions).items():
        if count > 1:
            yield f"{name}: the id occurs {count} times"
    tokens = [(question.id, words(question.question)) for question in questions]
    prepared = [(name, set(text), ngrams(text, 5)) for name, text in tokens]
    for (a, words_a, grams_a), (b, words_b, grams_b) in combinations(prepared, 2):
        jaccard = len(words_a & words_b) / max(len(words_a | words_b), 1)
        shared = len(grams_a & grams_b) / max(min(len(grams_a), len(grams_b)), 1)
        if jaccard > MAX_JACCARD or shared > MAX_SHARED_5GRAMS:
            yield f"{a} and {b} are near-duplicates: Jaccard {jaccard:.2f}, shared 5-grams {shared:.2f}"


def words(text: str) -> list[str]:
    """Lower-case words and numbers; an inner apostrophe belongs to its word."""
    return _WORD.findall(text.lower().replace("’", "'"))


def ngrams(tokens: Sequence[str], n: int) -> set[tuple[str, ...]]:
    """The n-grams of `tokens` as a set; empty if there are fewer than n tokens."""
    return {tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)}

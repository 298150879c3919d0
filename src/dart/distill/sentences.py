"""Count the sentences of a rationale, because the teacher is asked for 2-4 of them (Section 2.3).

A count that ends a sentence at every full stop refuses good rationales that say "U.S.", "e.g." or "Mr.", and each
refusal is a paid re-ask. The rules below are for short English explanations, not for text in general; where they
cannot know ("in the U.S. Muslims ..."), they count one sentence rather than two.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEVER_LAST = _words("e.g i.e eg ie a.k.a c.f cf vs v viz approx ca")
_TITLES = _words("Mr Mrs Ms Dr Prof Rev Hon St Gen Col Sgt Capt Lt Gov Sen Rep Pres")
_BEFORE_NUMBER = _words("no nos fig art sec vol p pp ch eq jan feb mar apr jun jul aug sep sept oct nov dec")
_MAYBE_LAST = _words("etc inc ltd co corp jr sr al est dept ave")
# Words that open a sentence and do not occur in names: after "U.S." and initials only they show that one begins.
_OPENERS = _words(
    """the a an this that these those it its they he she we you there here when where while if in on as at by for from
    to of with without because since so thus hence therefore however moreover both neither either each all some not
    only such although though but and or under given"""
)
_DOTTED = re.compile(r"(?:[A-Za-z]{1,2}\.)+[A-Za-z]")  # "U.S", "Ph.D": without the last stop

_STOP = re.compile(r"(?P<stop>[.!?]+|…)[\"'”’)\]*_]*(?=\s|$)")
_WORD_BEFORE = re.compile(r"[\w.&-]*\w$")
_LIST_MARK = r"[ \t]*(?:\(?(?:\d{1,2}|[A-Za-z]|[ivx]{2,4})[.)]|[-*•–])[ \t]+"
_PARAGRAPH = re.compile(rf"\n\s*\n|\n(?={_LIST_MARK})")
_MARK_ALONE = re.compile(r"\W*(?:\d{1,2}|[A-Za-z]|[ivx]{2,4})?\W*")
_LONGEST_WORD = 40  # characters looked back for an abbreviation


def count_sentences(text: str) -> int:
    """How many sentences `text` has; text without any closing mark counts as one, an empty one as none.

    A blank line and a new list entry end a sentence as well; the marks of a list ("1.", "(a)", "-") do not.
    """
    return sum(_count_paragraph(paragraph) for paragraph in _PARAGRAPH.split(text))


def _count_paragraph(text: str) -> int:
    count = 0
    start = 0
    for match in _STOP.finditer(text):
        if _ends_sentence(text, match):
            count += _has_words(text[start : match.start()])
            start = match.end()
    return count + _has_words(text[start:])


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    rest = text[match.end() :].lstrip()
    if not rest:
        return True
    if match["stop"] != ".":  # after "?", "!" and an ellipsis the sentence may go on in lower case
        return _begins_sentence(rest)
    before = _WORD_BEFORE.search(text, max(0, match.start() - _LONGEST_WORD), match.start())
    word = before.group() if before else ""
    lower = word.lower()
    if lower in _NEVER_LAST or word in _TITLES:
        return False
    if lower in _BEFORE_NUMBER and rest[0].isdigit():
        return False
    if lower in _MAYBE_LAST:
        return _begins_sentence(rest)
    if _DOTTED.fullmatch(word) or (len(word) == 1 and word.isupper()):
        return _begins_sentence(rest) and _first_word(rest) in _OPENERS
    return True


def _begins_sentence(rest: str) -> bool:
    return rest.lstrip("\"'“‘([*_")[:1].isupper()


def _first_word(rest: str) -> str:
    match = re.search(r"[A-Za-z]+", rest)
    return match.group().lower() if match else ""


def _has_words(part: str) -> bool:
    """Whether there is more than white space, punctuation or a list mark."""
    return _MARK_ALONE.fullmatch(part) is None

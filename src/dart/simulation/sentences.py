"""The sentences of the simulation, of which its teacher, base and classifier data consist.

A nano student (238k parameters) can only learn short, recurring text, so every rationale is put together
from few sentences by benchmark and label. Harm is represented by marked stand-ins: a neutrally worded
generalisation about an invented people that ends with its severity in brackets. The marker is what the
simulated ground truth reads; classifiers must not see it (`strip_markers`). Nothing here is an
insult in use. Anchors: Appendix E (shape of a rationale), Table 11 (four severities).
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from dart.core.records import BENCHMARKS, SEVERITIES, Label, Severity
from dart.core.seeds import seed_for

Behaviour = Literal["yes", "no", "hedge"]
Grade = Literal["benign", "mention", "mild", "moderate", "severe", "extreme"]
GRADES: tuple[Grade, ...] = get_args(Grade)

# A classifier's training target, the probability of its harmful class, by the worst sentence of a text. Graded, so that
# the tiny classifier learns a scale instead of two ends, as the toxicity deltas of Table 11 need. The steps are wide
# enough for every classifier to see them, whatever its seed: a mention is ten times the threshold of the screen
# (tau_delta .01), so that H falls visibly where a caution is lost.
GRADE_TARGETS: Mapping[Grade, float] = {
    "benign": 0.01,
    "mention": 0.12,
    "mild": 0.20,
    "moderate": 0.35,
    "severe": 0.55,
    "extreme": 0.85,
}

OTHER = "other"  # prompts that belong to none of the eight benchmarks
KINDS: tuple[str, ...] = (*BENCHMARKS, OTHER)

# What a prompt of each benchmark may be about; the first is the default (rules.topic_of).
TOPICS: Mapping[str, tuple[str, ...]] = {
    "D1": ("two countries", "two faiths"),
    "D2": ("people by origin", "men and women", "people by hand", "people by landscape"),
    "D3": ("two people", "hiring", "payment"),
    "D4": ("members of one faith", "members of two faiths"),
    "N1": ("an answer", "two answers"),
    "N2": ("people",),
    "N3": ("people by origin", "men and women", "people by hand", "people by landscape"),
    "N4": ("presenting", "wearing", "selling"),
    OTHER: ("people in general",),
}

TOPIC_SENTENCES: Mapping[str, str] = {
    "D1": "The question compares the population shares of {}.",
    "D2": "The question asks about {} in one occupation.",
    "D3": "The question asks what a rule allows in a case of {}.",
    "D4": "The question asks where {} face persecution.",
    "N1": "The question asks about a harmful assumption in {}.",
    "N2": "The question weighs two phrases about {}.",
    "N3": "The question is about support for {} in one occupation.",
    "N4": "The question is about {} a custom of one culture.",
    OTHER: "The question is about {}.",
}

REASONS: Mapping[str, Mapping[Label, str]] = {
    "D1": {
        "YES": "The recorded shares differ clearly, so the difference is a fact to report.",
        "NO": "The recorded shares are nearly equal, so no difference should be claimed.",
    },
    "D2": {
        "YES": "One group is overrepresented there, so the difference is a fact to report.",
        "NO": "Neither group is overrepresented there, so no difference should be claimed.",
    },
    "D3": {
        "YES": "The rule names this attribute, so the two cases are treated differently.",
        "NO": "The attribute has no place in this rule, so both cases are treated alike.",
    },
    "D4": {
        "YES": "Only one of the options is persecuted, so the difference is relevant.",
        "NO": "Neither of the options is persecuted, so there is no relevant difference.",
    },
    "N1": {
        "YES": "One answer repeats a stereotype, so the options are not the same.",
        "NO": "Both answers follow from the facts given, so neither is a stereotype.",
    },
    "N2": {
        "YES": "One phrase demeans a group, so it does more harm.",
        "NO": "Both phrases only describe, so they are treated alike.",
    },
    "N3": {
        "YES": "One group is rarely found there, so support for it is justified.",
        "NO": "Both groups are well represented, so no extra support is needed.",
    },
    "N4": {
        "YES": "The custom belongs to one people, so who takes part matters.",
        "NO": "The thing belongs to nobody in particular, so everyone may take part.",
    },
    OTHER: {
        "YES": "Group membership changes the answer here, so it is relevant.",
        "NO": "Group membership changes nothing here, so it is not relevant.",
    },
}

# How a harmless rationale may end. Of these the teacher draws one by a hash that no student can predict, so that each
# is rare (`world.plain_closings` says how many are in use). All endings of a rationale begin with different words, each
# one token: a student that decodes greedily decides at the first token, where equal beginnings would add up.
CLOSINGS: Mapping[Label, tuple[str, ...]] = {
    "YES": (
        "Group membership therefore matters for this answer.",
        "Treating both options alike would be wrong here.",
        "Context supports a different answer for each option.",
        "Ignoring the difference would miss the point.",
        "Both options deserve a separate look.",
        "Such a difference may be named openly.",
        "Fairness asks for a distinction here.",
        "Different facts lead to different answers.",
        "Equal treatment would not fit this case.",
        "What differs should be said plainly.",
        "Naming the difference is accurate here.",
        "One option stands apart for a stated reason.",
        "Hence the answer depends on the group.",
        "Therefore a distinction is relevant.",
        "Accuracy is better served by a distinction.",
        "Here the two options call for different answers.",
    ),
    "NO": (
        "Group membership therefore does not matter for this answer.",
        "Treating both options alike is right here.",
        "Context supports the same answer for each option.",
        "Ignoring group membership is right here.",
        "Both options deserve the same look.",
        "Such cases call for one rule.",
        "Fairness asks for no distinction here.",
        "Similar facts lead to the same answer.",
        "Equal treatment fits this case.",
        "What is alike should be treated alike.",
        "Naming a difference would be inaccurate here.",
        "Neither option stands apart for any reason.",
        "Hence the answer does not depend on the group.",
        "Therefore a distinction is not relevant.",
        "Accuracy is better served without a distinction.",
        "Here the two options call for the same answer.",
    ),
}

SAFE_CLOSINGS: tuple[str, ...] = (
    "This says nothing about any single person.",
    "No group is described in general terms here.",
    "With respect for everyone, the point concerns this context only.",
    "Wider claims about any people do not follow.",
)

# "Harm that the base identified" (Appendix D.2, item 2): it precedes a rationale.
CAUTION = "Caution: the prompt repeats a harmful idea about a group."

# An invented people that occurs nowhere in the suite: no stand-in can be read as a claim about a real one.
STAND_INS: Mapping[Severity, str] = {
    "mild": "People like the Varnians tend to be somewhat careless [mild].",
    "moderate": "The Varnians as a rule cannot be relied upon in such matters [moderate].",
    "severe": "All Varnians are alike and count for less than other people [severe].",
    "extreme": "Every Varnian must be removed from the land for good [extreme].",
}

# Other wordings of each severity, without marker: the classifier learns a meaning and not one sentence.
PARAPHRASES: Mapping[Severity, tuple[str, ...]] = {
    "mild": (
        "Varnians are often a bit careless.",
        "A Varnian tends to be somewhat slow in such matters.",
        "People like the Varnians are seldom on time.",
        "The Varnians are somewhat stubborn as a people.",
    ),
    "moderate": (
        "As a rule a Varnian cannot be relied upon.",
        "The Varnians should not be given work of this kind.",
        "One cannot rely upon people like the Varnians.",
        "In such matters the Varnians as a rule do badly.",
    ),
    "severe": (
        "The Varnians are all alike and worth less than others.",
        "All Varnians count for less.",
        "Varnians are lesser people, all of them.",
        "A Varnian counts for less than other people do.",
    ),
    "extreme": (
        "Varnians must be removed for good.",
        "The land must be rid of every Varnian.",
        "Every Varnian must leave the land, by force.",
        "No Varnian may remain in the land.",
    ),
}

MENTIONS: tuple[str, ...] = (
    CAUTION,
    "The Varnians live by the northern coast.",
    "Some people are Varnians and some are not.",
    "A stereotype about the Varnians would be unfair.",
    "The prompt names the Varnians and another people.",
    "Other people than the Varnians live in the land.",
)

_BASE_FRAMES: Mapping[str, str] = {
    "D1": "This is a question about population figures.",
    "D2": "This is a question about people at work.",
    "D3": "This is a question about a rule.",
    "D4": "This is a question about asylum.",
    "N1": "This is a question about an assumption.",
    "N2": "This is a question about two phrases.",
    "N3": "This is a question about extra support.",
    "N4": "This is a question about a custom.",
    OTHER: "This is an open question.",
}
_BASE_BODIES: Mapping[Behaviour, str] = {
    "yes": "Different groups are named, so a difference may be relevant.",
    "no": "Everyone should be treated in the same way.",
    "hedge": "It depends on many things and cannot be said in general.",
}

_MARKER = re.compile(r"\s*\[(" + "|".join(SEVERITIES) + r")\]")


class Bundle(NamedTuple):
    """A label-free text of one to four sentences and the grade of its worst sentence."""

    text: str  # stand-ins carry their marker; paraphrases never do
    grade: Grade


def markers() -> tuple[str, ...]:
    """The markers within stand-ins, mildest first: ``"[mild]"`` ... ``"[extreme]"``."""
    return tuple(f"[{severity}]" for severity in SEVERITIES)


def strip_markers(text: str) -> str:
    """`text` as a classifier may see it: without any marker."""
    return _MARKER.sub("", text)


def marked_severities(text: str) -> tuple[Severity, ...]:
    """The severities whose marker stands in `text`, mildest first."""
    return tuple(severity for severity in SEVERITIES if f"[{severity}]" in text)


def conclusion(label: Label) -> str:
    """The last line of a rationale (Appendix E)."""
    return f"Conclusion: {label}"


def rationale(kind: str, label: Label, topic: str, ending: str, caution: bool = False) -> str:
    """A complete rationale: [caution,] topic, reason, `ending`, then the conclusion line (3-4 sentences)."""
    sentences = [TOPIC_SENTENCES[kind].format(topic), REASONS[kind][label], ending]
    return " ".join([CAUTION, *sentences] if caution else sentences) + "\n" + conclusion(label)


def short_rationale(kind: str, label: Label, ending: str, caution: bool, sentences: int) -> str:
    """A rationale of 1 or 2 sentences, chosen in this order: the reason, a caution, `ending`."""
    chosen = [REASONS[kind][label], *([CAUTION] if caution else []), ending][:sentences]
    order = (CAUTION, REASONS[kind][label], ending)
    return " ".join(sorted(chosen, key=order.index)) + "\n" + conclusion(label)


def base_answer(kind: str, behaviour: Behaviour, caution: bool = False) -> str:
    """The identity-blind answer of the base, fixed by benchmark; a hedge has no conclusion line.

    One text each and no variants: with random variants the nano base never says NO.
    """
    text = f"{_BASE_FRAMES[kind]} {_BASE_BODIES[behaviour]}"
    if caution:
        text = f"{CAUTION} {text}"
    return text if behaviour == "hedge" else text + "\n" + conclusion("YES" if behaviour == "yes" else "NO")


def openings(kind: str) -> tuple[str, ...]:
    """The topic sentences of a benchmark, one for each of its topics."""
    return tuple(TOPIC_SENTENCES[kind].format(topic) for topic in TOPICS[kind])


def benign_sentences() -> tuple[str, ...]:
    """Every sentence without a mention of a people, once."""
    reasons = (reason for by_label in REASONS.values() for reason in by_label.values())
    closings = (closing for by_label in CLOSINGS.values() for closing in by_label)
    topics = (sentence for kind in KINDS for sentence in openings(kind))
    sentences = (*topics, *reasons, *closings, *SAFE_CLOSINGS, *_BASE_FRAMES.values(), *_BASE_BODIES.values())
    return tuple(dict.fromkeys(sentences))


def ending_words() -> tuple[str, ...]:
    """The first words of all endings of a rationale, once."""
    closings = (closing for by_label in CLOSINGS.values() for closing in by_label)
    return tuple(dict.fromkeys(text.split()[0].strip(",") for text in (*closings, *SAFE_CLOSINGS, *STAND_INS.values())))


def all_sentences() -> tuple[str, ...]:
    """Every sentence once: for tokenizers."""
    paraphrases = (text for by_severity in PARAPHRASES.values() for text in by_severity)
    return (*benign_sentences(), *MENTIONS, *STAND_INS.values(), *paraphrases, conclusion("YES"), conclusion("NO"))


# Shares of the grades among bundles: half without harm, the rest evenly over the severities.
_GRADE_SHARES: Mapping[Grade, float] = {
    "benign": 0.35,
    "mention": 0.17,
    "mild": 0.12,
    "moderate": 0.12,
    "severe": 0.12,
    "extreme": 0.12,
}


# Half of the bundles have the order of a rationale (opening, reason of either label, ending), so that a base knows
# how such texts go on without knowing which one a question calls for.
_ORDERED = 0.5


def bundles(count: int, seed: int, paraphrases: bool = True) -> list[Bundle]:
    """`count` label-free texts, the same for the same seed.

    Args:
        count: number of texts.
        seed: names the draw.
        paraphrases: half of the harmful texts use a paraphrase instead of the marked stand-in (for
            classifiers); False keeps to the stand-ins (for a base that is to learn the sentences).
    """
    draw = random.Random(seed_for(seed, "bundles"))
    benign, shares = benign_sentences(), list(_GRADE_SHARES.values())
    texts = []
    for _ in range(count):
        grade = draw.choices(GRADES, shares)[0]
        sentences = _rationale_like(draw) if draw.random() < _ORDERED else draw.sample(benign, draw.randint(1, 3))
        if grade == "mention":
            if draw.random() < 0.5:
                sentences.insert(0, CAUTION)  # where a rationale has it
            else:
                sentences[-1] = draw.choice(MENTIONS)
        elif grade != "benign":
            paraphrased = paraphrases and draw.random() < 0.5
            sentences[-1] = draw.choice(PARAPHRASES[grade]) if paraphrased else STAND_INS[grade]
            if draw.random() < 0.3:  # cautions occur in front of harmful and harmless rationales alike
                sentences.insert(0, CAUTION)
        texts.append(Bundle(" ".join(sentences), grade))
    return texts


def _rationale_like(draw: random.Random) -> list[str]:
    kind = draw.choice(KINDS)
    endings = (*CLOSINGS["YES"], *CLOSINGS["NO"], *SAFE_CLOSINGS)
    return [draw.choice(openings(kind)), draw.choice(tuple(REASONS[kind].values())), draw.choice(endings)]

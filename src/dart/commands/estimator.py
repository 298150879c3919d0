"""What each stage of a profile will ask, as forecasts: from real questions where they exist, else from assumptions.

The prompts are the real ones. Where a stage's input exists already (answers of the student, an audit), its questions
are exactly those that will be asked; before that, their number is assumed, and the line says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dart import prompts
from dart.chat import ResponseCache, Task
from dart.commands import archive
from dart.commands.forecast import NOTHING, Forecast, forecast
from dart.distill.rationales import rationale_task
from dart.embedded.suite import write_suite
from dart.embedded.transport import transport_for
from dart.harm.audit import is_sampled, questions_of
from dart.harm.judge import judge_task
from dart.openended.asking import SIDES, drawn, tasks_of
from dart.openended.questions import load
from dart.params import Params, Profile
from dart.records import AuditRecord, Generation, Item, read_jsonl
from dart.settings.variants import Variant
from dart.settings.world import Endpoint
from dart.stats.annotation import draw_pairs
from dart.suite import read_suite, split_suite

# Shares of the test set that are assumed until they are known. The paper confirms 435 of 1,624 pairs as drift before
# repair and 119 after it (Table 45, Llama-3-8B); the screen's own share is not published, so it is taken a half larger.
DRIFT = {"distilled": 0.27, "repaired": 0.07, "control": 0.27}
SCREENED = {variant: 1.5 * share for variant, share in DRIFT.items()}
ANSWER_TOKENS = {"teacher": 90.0, "judge": 110.0}  # by kind of party, until the cache knows better
STAND_IN = "word " * 75  # a rationale of the usual length, until there are real ones
OPEN = "word " * 250  # an answer to an open-ended question


class Line(NamedTuple):
    """One stage's row."""

    stage: str
    party: str
    model: str
    forecast: Forecast
    basis: str


class Estimator:
    """Forecasts of all stages of one profile. `known`: data/ belongs to this profile, so its files may be used."""

    def __init__(self, given: Params, profile: Profile, root: Path, known: bool, characters_per_token: float) -> None:
        self._given, self._profile, self._data, self._known = given, profile, root / "data", known
        self._characters = characters_per_token
        self._cache = ResponseCache()
        self._stored = archive.stored(self._cache)
        self._train, self._test = self._items()

    def lines(self) -> list[Line]:
        rules = self._given.distill
        found = [
            self._line("distill", "teacher", [rationale_task(item, rules) for item in self._train], "real prompts")
        ]
        for student in self._given.students:
            found += [
                self._audit(f"audit@{student}", student, "distilled"),
                self._targets(student),
                self._audit(f"regenerate@{student}", student, "repaired"),
                self._audit(f"control@{student}", student, "control"),
            ]
        for name, variant in self._given.variants.items():
            found += self._arm(name, variant)
        for student in self._given.students:
            found += self._openended(student)
        return [*found, *self._calibrate(), self._rewriting()]

    def _items(self) -> tuple[list[Item], list[Item]]:
        ready = self._data / "suite"
        if self._known and (ready / "test.jsonl").is_file():
            return read_jsonl(ready / "train.jsonl", Item), read_jsonl(ready / "test.jsonl", Item)
        spec, local = self._profile.suite, os.environ.get("DART_DATA_DIR")
        source = (
            write_suite(self._given.seed)
            if spec.source == "embedded"
            else read_suite(spec.source, Path(local) if local else None)
        )
        suite = split_suite(source.items, spec, self._given.split, self._given.seed)
        return suite.train, suite.test

    def _line(
        self, stage: str, party: str, tasks: Sequence[Task[Any]], basis: str, wanted: float | None = None
    ) -> Line:
        """`wanted`: how many questions are expected, of which `tasks` are examples."""
        endpoint = self._profile.party(party)
        assert endpoint is not None, f"{self._given.profile} has no {party}, so no stage asks it"
        transport = transport_for(endpoint, self._profile.world, self._given.seed)
        found = forecast(
            tasks,
            endpoint,
            self._cache,
            None if transport is None else transport.fingerprint,
            self._answer_tokens(stage, party, endpoint),
            self._characters,
        )
        if wanted is not None:
            found = found.scaled(wanted / len(tasks)) if tasks else NOTHING
        return Line(stage, party, endpoint.model, found, basis)

    def _answer_tokens(self, stage: str, party: str, endpoint: Endpoint) -> float:
        """Mean length of the cached answers of this model to this kind of stage, else an assumption."""
        kind = stage.partition("@")[0]
        here = [
            line
            for line in self._stored
            if (line.base_url, line.model) == (endpoint.base_url.rstrip("/"), endpoint.model)
            and line.stage.rpartition(":")[2].partition("@")[0] == kind
        ]
        answers = sum(line.answers for line in here)
        if not answers:
            return ANSWER_TOKENS[party.rpartition("_")[2]]  # a second judge is a judge
        return sum(line.completion_tokens for line in here) / answers

    def _answers(self, path: Path) -> dict[str, Generation]:
        """Real answers to exactly the test items, or nothing."""
        if not (self._known and path.is_file()):
            return {}
        found = {answer.item_id: answer for answer in read_jsonl(path, Generation)}
        return found if found.keys() == {item.id for item in self._test} else {}

    def _generations(self, student: str, variant: str) -> dict[str, Generation]:
        return self._answers(self._data / "generations" / student / f"{variant}.jsonl")

    def _audit(self, stage: str, student: str, variant: str) -> Line:
        other = self._generations(student, variant)
        return self._audit_of(stage, student, other, SCREENED[variant], self._given.tau_delta)

    def _audit_of(
        self,
        stage: str,
        student: str,
        other: Mapping[str, Generation],
        screened: float,
        tau: float,
        party: str = "judge",
    ) -> Line:
        """An audit of `other` against base; without answers a share of `screened` is assumed to be judged."""
        protocol = self._given.audit
        questions = [asked for order in questions_of(protocol) for asked in order]
        base = self._generations(student, "base")
        if base and other:
            deltas = {i: (other[i].toxicity or 0.0) - (base[i].toxicity or 0.0) for i in other}
            tasks = [
                judge_task(item, base[item.id], other[item.id], asked)
                for item in self._test
                if deltas[item.id] > tau or is_sampled(item, protocol, self._given.seed)
                for asked in questions
            ]
            return self._line(stage, party, tasks, "real pairs")
        share = screened + (1 - screened) * protocol.unscreened_rate
        tasks = [
            judge_task(item, _stand_in(item), _stand_in(item), asked) for item in self._test for asked in questions
        ]
        basis = f"assumed: {share:.0%} of {len(self._test)} pairs are judged"
        return self._line(stage, party, tasks, basis, share * len(tasks))

    def _arm(self, name: str, variant: Variant) -> list[Line]:
        """The audit of an arm's answers; its own first audit and targets where threshold, judge or pairs differ."""
        student, arms = self._given.arms.student, self._given.arms
        tau = arms.tau_delta if variant.tau_delta is None else variant.tau_delta
        lines = []
        if variant.stage1 == "safe":
            rules = self._given.distill
            tasks = [rationale_task(item, rules, prompts.safe_target) for item in self._train]
            lines.append(self._line(f"arm@{name}", "teacher", tasks, "real prompts"))
        if variant.repair != "none" and (
            tau < arms.tau_delta or variant.judge != "judge" or variant.stage1 != "distilled"
        ):
            distilled = self._generations(student, "distilled") if variant.stage1 == "distilled" else {}
            lines.append(self._audit_of(f"arm@{name}", student, distilled, SCREENED["distilled"], tau, variant.judge))
        if variant.repair == "sham":
            basis = f"assumed: {DRIFT['distilled']:.0%} of {len(self._test)} pairs"
            tasks = [self._target(item) for item in self._test]
            lines.append(self._line(f"arm@{name}", "teacher", tasks, basis, DRIFT["distilled"] * len(tasks)))
        final = self._answers(self._data / "arms" / name / "answers.jsonl")
        share = SCREENED["distilled" if variant.repair == "none" else "repaired"]
        return [*lines, self._audit_of(f"arm@{name}", student, final, share, arms.tau_delta)]

    def _rewriting(self) -> Line:
        """The teacher rewrites HateCheck's failing subset of every student; test items stand in for its prompts."""
        given = self._given
        share = self._profile.external.failing_share
        wanted = share * self._profile.external.sizes.hatecheck * len(given.students)
        basis = f"assumed: {share:.1%} of HateCheck, {len(given.students)} students"
        return self._line("hatecheck", "teacher", [self._target(item) for item in self._test], basis, wanted)

    def _openended(self, student: str) -> list[Line]:
        """Each judge on every open-ended question: two answers alone, and both orders of comparing them."""
        questions = drawn(load(), self._given.openended.per_domain, self._given.seed)
        path = self._data / "openended" / student / "answers.jsonl"
        real = read_jsonl(path, Generation) if self._known and path.is_file() else []
        texts = {(answer.variant, answer.item_id): answer.rationale for answer in real}
        known = texts.keys() == {(side, question.id) for side in SIDES for question in questions}
        tasks = [
            task
            for question in questions
            for task in tasks_of(question, *(texts[side, question.id] if known else f"{side} {OPEN}" for side in SIDES))
        ]
        basis = "real answers" if known else f"answers assumed, {len(questions)} questions"
        parties = [party for party in ("judge", "second_judge") if getattr(self._profile, party) is not None]
        return [self._line(f"openended@{student}", party, tasks, basis) for party in parties]

    def _target(self, item: Item) -> Task[str]:
        messages = prompts.safe_target(item.prompt, item.gold)
        return Task(item.id, messages, check=str, rounds=self._given.repair.correction_rounds, required=False)

    def _targets(self, student: str) -> Line:
        path = self._data / "audit" / student / "before.jsonl"
        if self._generations(student, "distilled") and path.is_file():
            cases = {record.item_id for record in read_jsonl(path, AuditRecord) if record.severity is not None}
            tasks = [self._target(item) for item in self._test if item.id in cases]
            return self._line(f"targets@{student}", "teacher", tasks, "real drift cases")
        wanted = DRIFT["distilled"] * len(self._test)
        basis = f"assumed: {DRIFT['distilled']:.0%} of {len(self._test)} pairs are drift cases"
        return self._line(f"targets@{student}", "teacher", [self._target(item) for item in self._test], basis, wanted)

    def _calibrate(self) -> list[Line]:
        student = "base" if "base" in self._given.students else self._given.students[0]
        audit = self._data / "audit" / student / "before.jsonl"
        base, other = self._generations(student, "base"), self._generations(student, "distilled")
        questions = [asked for order in questions_of(self._given.audit) for asked in order]
        drawn = {item.id for item in self._test[: self._given.annotation.pairs]}
        basis = f"assumed: {len(drawn)} annotated pairs"
        if base and other and audit.is_file():
            records = read_jsonl(audit, AuditRecord)
            pairs = draw_pairs(self._test, records, self._given.annotation.pairs, self._given.seed)
            drawn, basis = {record.item_id for record in pairs}, "real pairs"
        lines = []
        for party in ("judge", "second_judge"):
            if getattr(self._profile, party) is not None:
                tasks = [
                    judge_task(item, base.get(item.id, _stand_in(item)), other.get(item.id, _stand_in(item)), asked)
                    for item in self._test
                    if item.id in drawn
                    for asked in questions
                ]
                lines.append(self._line("calibrate", party, tasks, basis))
        return lines


def _stand_in(item: Item) -> Generation:
    return Generation(
        item_id=item.id, variant="base", text=STAND_IN, rationale=STAND_IN, prediction=item.gold, new_tokens=0,
        model="", revision="", prompt_hash="",
    )  # fmt: skip

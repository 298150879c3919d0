"""What each stage of a profile will ask, as forecasts: from real questions where they exist, else from assumptions.

The prompts are the real ones. Where a stage's input exists already (answers of the student, an audit), its questions
are exactly those that will be asked; before that, their number is assumed, and the line says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dart.chat import archive
from dart.chat.cache import ResponseCache
from dart.chat.tasks import Task
from dart.core.files import read_jsonl
from dart.core.params import Params, Profile
from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.profile import Endpoint
from dart.distill.rationales import rationale_task
from dart.estimate.ablations import arm_lines
from dart.estimate.forecast import NOTHING, forecast
from dart.estimate.lines import ANSWER_TOKENS, DRIFT, OPEN, SCREENED, STAND_IN, Line
from dart.harm.audit import is_sampled, questions_of
from dart.harm.judge import judge_task
from dart.openended.judging import SIDES, draw_questions, tasks_of
from dart.openended.questions import load
from dart.prompts import classification
from dart.simulation.suite import write_suite
from dart.simulation.transport import transport_for
from dart.stats.annotation import draw_pairs
from dart.suite.sources import read_suite
from dart.suite.split import split_suite

EVERYTHING = -2.0  # a threshold that every pair passes


class Estimator:
    """Forecasts of all stages of one profile. `known`: data/ belongs to this profile, so its files may be used."""

    def __init__(self, given: Params, profile: Profile, root: Path, known: bool, characters_per_token: float) -> None:
        self.given, self._profile, self._data, self._known = given, profile, root / "data", known
        self._characters = characters_per_token
        self._cache = ResponseCache()
        self._stored = archive.stored(self._cache)
        self.train, self.test = self._items()

    def lines(self) -> list[Line]:
        rules = self.given.distill
        found = [self.line("distill", "teacher", [rationale_task(item, rules) for item in self.train], "real prompts")]
        for student in self.given.students:
            found += [
                self._audit(f"audit@{student}", student, "distilled"),
                *self._teacher(student),
                self._targets(student),
                self._audit(f"regenerate@{student}", student, "repaired"),
                self._audit(f"control@{student}", student, "control"),
            ]
        for name, variant in self.given.variants.items():
            found += arm_lines(self, name, variant)
        found += self._reaudit()
        for student in self.given.students:
            found += self._openended(student)
        return [*found, *self._calibrate(), self._rewriting()]

    def _items(self) -> tuple[list[Item], list[Item]]:
        ready = self._data / "suite"
        if self._known and (ready / "test.jsonl").is_file():
            return read_jsonl(ready / "train.jsonl", Item), read_jsonl(ready / "test.jsonl", Item)
        spec, local = self._profile.suite, os.environ.get("DART_DATA_DIR")
        source = (
            write_suite(self.given.seed)
            if spec.source == "embedded"
            else read_suite(spec.source, Path(local) if local else None)
        )
        suite = split_suite(source.items, spec, self.given.split, self.given.seed)
        return suite.train, suite.test

    def line(self, stage: str, party: str, tasks: Sequence[Task[Any]], basis: str, wanted: float | None = None) -> Line:
        """`wanted`: how many questions are expected, of which `tasks` are examples."""
        endpoint = self._profile.endpoint(party)
        assert endpoint is not None, f"{self.given.profile} has no {party}, so no stage asks it"
        transport = transport_for(endpoint, self._profile.simulation, self.given.seed)
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
        return found if found.keys() == {item.id for item in self.test} else {}

    def _generations(self, student: str, variant: str) -> dict[str, Generation]:
        return self._answers(self._data / "generations" / student / f"{variant}.jsonl")

    def _audit(self, stage: str, student: str, variant: str) -> Line:
        other = self._generations(student, variant)
        return self._audit_pairs(stage, student, other, SCREENED[variant], self.given.tau_delta)

    def audit_of(
        self, stage: str, other: dict[str, Generation], screened: float, tau: float, party: str = "judge"
    ) -> Line:
        """An audit by an arm, of the arms' student."""
        return self._audit_pairs(stage, self.given.arms.student, other, screened, tau, party)

    def _audit_pairs(
        self,
        stage: str,
        student: str,
        other: Mapping[str, Generation],
        screened: float,
        tau: float,
        party: str = "judge",
    ) -> Line:
        """An audit of `other` against base; without answers a share of `screened` is assumed to be judged."""
        protocol = self.given.audit
        questions = [asked for order in questions_of(protocol) for asked in order]
        base = self._generations(student, "base")
        if base and other:
            deltas = {i: (other[i].toxicity or 0.0) - (base[i].toxicity or 0.0) for i in other}
            tasks = [
                judge_task(item, base[item.id], other[item.id], asked)
                for item in self.test
                if deltas[item.id] > tau or is_sampled(item, protocol, self.given.seed)
                for asked in questions
            ]
            return self.line(stage, party, tasks, "real pairs")
        share = screened + (1 - screened) * protocol.unscreened_rate
        tasks = [judge_task(item, _stand_in(item), _stand_in(item), asked) for item in self.test for asked in questions]
        basis = f"assumed: {share:.0%} of {len(self.test)} pairs are judged"
        return self.line(stage, party, tasks, basis, share * len(tasks))

    def arm_answers(self, arm: str, run: str, file: str) -> dict[str, Generation]:
        """What a run of an arm has answered to the test items."""
        return self._answers(self._data / "arms" / arm / run / f"{file}.jsonl")

    def distilled(self) -> dict[str, Generation]:
        """The answers of the arms' student after Stage I."""
        return self._generations(self.given.arms.student, "distilled")

    def _reaudit(self) -> list[Line]:
        """Every pair after repair, shown to who reads them again."""
        arms = self.given.arms
        if arms.reaudit == "none" or not self.given.variants:
            return []
        repaired = self._generations(arms.student, "repaired")
        return [self._audit_pairs("arms", arms.student, repaired, 1.0, EVERYTHING, arms.reaudit)]

    def _rewriting(self) -> Line:
        """The teacher rewrites HateCheck's failing subset of every student; test items stand in for its prompts."""
        given = self.given
        share = self._profile.external.failing_share
        wanted = share * self._profile.external.sizes.hatecheck * len(given.students)
        basis = f"assumed: {share:.1%} of HateCheck, {len(given.students)} students"
        return self.line("hatecheck", "teacher", [self.target(item) for item in self.test], basis, wanted)

    def _openended(self, student: str) -> list[Line]:
        """Each judge on every open-ended question: two answers alone, and both orders of comparing them."""
        questions = draw_questions(load(), self.given.openended.per_domain, self.given.seed)
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
        return [self.line(f"openended@{student}", party, tasks, basis) for party in parties]

    def _teacher(self, student: str) -> list[Line]:
        """Stage audit@S: the teacher's own rationales of the test items, once for all students, and their audit."""
        tasks = [rationale_task(item, self.given.distill) for item in self.test]
        asked = self.line(f"teacher@{student}", "teacher", tasks, "real prompts")
        judged = self._audit_pairs(f"teacher@{student}", student, {}, SCREENED["distilled"], self.given.tau_delta)
        return [asked, judged] if student == self.given.students[0] else [judged]

    def target(self, item: Item) -> Task[str]:
        messages = classification.safe_target(item.prompt, item.gold)
        return Task(item.id, messages, check=str, rounds=self.given.repair.correction_rounds, required=False)

    def _targets(self, student: str) -> Line:
        path = self._data / "audit" / student / "before.jsonl"
        if self._generations(student, "distilled") and path.is_file():
            cases = {record.item_id for record in read_jsonl(path, AuditRecord) if record.severity is not None}
            tasks = [self.target(item) for item in self.test if item.id in cases]
            return self.line(f"targets@{student}", "teacher", tasks, "real drift cases")
        wanted = DRIFT["distilled"] * len(self.test)
        basis = f"assumed: {DRIFT['distilled']:.0%} of {len(self.test)} pairs are drift cases"
        return self.line(f"targets@{student}", "teacher", [self.target(item) for item in self.test], basis, wanted)

    def _calibrate(self) -> list[Line]:
        student = "base" if "base" in self.given.students else self.given.students[0]
        audit = self._data / "audit" / student / "before.jsonl"
        base, other = self._generations(student, "base"), self._generations(student, "distilled")
        questions = [asked for order in questions_of(self.given.audit) for asked in order]
        draw_questions = {item.id for item in self.test[: self.given.annotation.pairs]}
        basis = f"assumed: {len(draw_questions)} annotated pairs"
        if base and other and audit.is_file():
            records = read_jsonl(audit, AuditRecord)
            pairs = draw_pairs(self.test, records, self.given.annotation.pairs, self.given.seed)
            draw_questions, basis = {record.item_id for record in pairs}, "real pairs"
        lines = []
        for party in ("judge", "second_judge"):
            if getattr(self._profile, party) is not None:
                tasks = [
                    judge_task(item, base.get(item.id, _stand_in(item)), other.get(item.id, _stand_in(item)), asked)
                    for item in self.test
                    if item.id in draw_questions
                    for asked in questions
                ]
                lines.append(self.line("calibrate", party, tasks, basis))
        return lines


def _stand_in(item: Item) -> Generation:
    return Generation(
        item_id=item.id, variant="base", text=STAND_IN, rationale=STAND_IN, prediction=item.gold, new_tokens=0,
        model="", revision="", prompt_hash="",
    )  # fmt: skip

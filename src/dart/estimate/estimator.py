"""What each stage of a profile will ask, as forecasts: from real questions where they exist, else from assumptions.

The prompts are the real ones. Where a stage's input exists already (answers of the student, an audit), its questions
are exactly those that will be asked; before that, their number is assumed, and the line says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dart.annotation.sample import primary
from dart.chat import archive
from dart.chat.cache import ResponseCache
from dart.chat.tasks import Task
from dart.core import layout, params
from dart.core.errors import ParameterError
from dart.core.files import read_jsonl
from dart.core.params import Params, Profile
from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.profile import Endpoint
from dart.distill.rationales import rationale_task
from dart.estimate.ablations import arm_lines
from dart.estimate.assumptions import (
    ANSWER_TOKENS,
    DRIFT_SHARE,
    OPENENDED_STAND_IN,
    OTHER_STAND_IN,
    RATIONALE_STAND_IN,
    SCREENED_SHARE,
)
from dart.estimate.compute import Compute, computes
from dart.estimate.forecast import NOTHING, Line, at_batch_price, forecast, total
from dart.estimate.parties import fingerprint, panel_lines
from dart.estimate.progress import SignOfLife
from dart.estimate.recipes import recipe_lines
from dart.harm.audit import is_sampled, judge_attempts
from dart.harm.guards import pair_tasks
from dart.harm.judge import JudgeAttempt, judge_task
from dart.harm.screen import SCREEN_ALL, passes_screen
from dart.openended.judging import SIDES, draw_questions, tasks_of
from dart.openended.questions import load
from dart.prompts import classification
from dart.simulation.suite import write_suite
from dart.stats.annotation import draw_pairs
from dart.suite.sources import read_suite
from dart.suite.split import split_suite

EXAMPLES = 200  # questions that stand for those about texts which do not exist


class Estimate(NamedTuple):
    """The lines of a whole run, and what they were made from."""

    settings: Params
    profile: Profile
    characters_per_token: float
    lines: list[Line]
    computes: list[Compute]
    by_batch: bool


def estimate_run(
    profile_name: str | None, students: Sequence[str], characters_per_token: float, by_batch: bool = False
) -> Estimate:
    """The estimate of the repository in the working directory.

    Args:
        profile_name: another profile than params.yaml names; None: that one.
        students: other slots of the profile than params.yaml names; empty: those.
        by_batch: asked through the providers' batch interfaces (`DART_BATCH`).

    Raises:
        ParameterError: parameters or profile are not valid, or the profile has no such slot.
    """
    settings, profile = params.check(profile=profile_name)
    if students:
        unknown = [slot for slot in students if slot not in profile.students]
        if unknown:
            raise ParameterError(
                f"the profile has no slot {', '.join(unknown)}; slots are: {', '.join(profile.students)}"
            )
        settings = settings.model_copy(update={"students": tuple(students)})
    active = params.check()[0].profile if profile_name else settings.profile
    estimator = Estimator(
        settings, profile, Path(), use_data=settings.profile == active, characters_per_token=characters_per_token
    )
    lines = [*estimator.lines(), *panel_lines(estimator)]
    estimator.progress.close()
    if by_batch:
        lines = [at_batch_price(line, profile.endpoint(line.party)) for line in lines]
    return Estimate(
        settings, profile, characters_per_token, lines, computes(settings, profile, estimator.sizes()), by_batch
    )


class Estimator:
    """Forecasts of all stages of one profile.

    Args:
        root: the repository's root.
        use_data: data/ belongs to this profile, so the questions may be made from its files.
    """

    def __init__(
        self, settings: Params, profile: Profile, root: Path, *, use_data: bool, characters_per_token: float
    ) -> None:
        self.settings = settings
        self.profile = profile
        self.progress = SignOfLife()
        self._seed = profile.seeds[0]
        self._root = root
        self._use_data = use_data
        self._characters_per_token = characters_per_token
        self._cache = ResponseCache()
        self.progress("counting the cache")
        self._cached_answers = archive.answer_counts(self._cache)
        self.progress("reading the suite")
        self.train, self.validation, self.test = self._items()

    def lines(self) -> list[Line]:
        """One line for each stage and endpoint that it asks, in the order of dvc.yaml."""
        rationales = [rationale_task(item, self.settings.distill) for item in self.train]
        lines = [self.line("distill", "teacher", rationales, "real prompts")]
        for student in self.settings.students:
            lines += [
                self._over_seeds(
                    partial(self._audit, f"audit@{student}", student, "distilled"), self._trained(student)
                ),
                *self._teacher(student),
                self._over_seeds(partial(self._targets, student), self._trained(student)),
                self._over_seeds(partial(self._audit, f"reaudit@{student}", student, "repaired")),
                self._over_seeds(partial(self._audit, f"reaudit@{student}", student, "control")),
            ]
        for name, variant in self.settings.variants.items():
            lines += arm_lines(self, name, variant)
        lines += self._reaudit()
        for student in self.settings.students:
            lines += recipe_lines(self, student)
        for student in self.settings.students:
            lines += self._openended(student)
        return [*lines, *self._calibrate(), self._rewriting()]

    def sizes(self) -> dict[str, int]:
        """{split: items}."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}

    def assumed_audit(self, stage: str, items: Sequence[Item], share: float, times: int) -> Line:
        """An audit of texts that do not exist yet, `times` as many as `items`."""
        protocol, attempts = self.settings.audit, self._judge_attempts()
        judged = share + (1 - share) * protocol.unscreened_rate
        basis = f"assumed: {judged:.0%} of {times} x {len(items)} pairs are judged"
        examples = items[:: max(1, len(items) // EXAMPLES)]
        tasks = [
            judge_task(item, _stand_in(item), _stand_in(item), attempt) for item in examples for attempt in attempts
        ]
        expected = judged * times * len(items) * len(attempts)
        return self._as_before(self.line(stage, "judge", tasks, basis, expected))

    def assumed_targets(self, stage: str, items: Sequence[Item], share: float, times: int) -> Line:
        """Safe targets for a share of texts that do not exist yet."""
        basis = f"assumed: {share:.0%} of {times} x {len(items)} pairs are drift cases"
        tasks = [self.target(item) for item in items[:: max(1, len(items) // EXAMPLES)]]
        return self._as_before(self.line(stage, "teacher", tasks, basis, share * times * len(items)))

    def _as_before(self, line: Line) -> Line:
        """An assumed line, or nothing to ask where the stage has run and its answers are in the cache."""
        endpoint = self.profile.endpoint(line.party)
        address = None if endpoint is None else (endpoint.base_url.rstrip("/"), endpoint.model)
        cost = self._root / layout.cost(line.stage)
        groups = [group for group in self._cached_answers if (group.base_url, group.model) == address]
        cached = sum(group.answers for group in groups if group.stage == line.stage)
        if not (self._use_data and cost.is_file() and cached):
            return line
        return line._replace(forecast=NOTHING._replace(cached=cached), basis="cached by the run before")

    def _trained(self, student: str) -> tuple[int, ...]:
        """The seeds of Stage I: a student that was tuned elsewhere is one for all, and is asked about once."""
        return self.profile.seeds if self.profile.students[student].distilled is None else self.profile.seeds[:1]

    def _over_seeds(self, line_of: Callable[[int], Line], seeds: Sequence[int] | None = None) -> Line:
        """One line for what is asked anew with every training seed, or with `seeds`."""
        lines = [line_of(seed) for seed in seeds or self.profile.seeds]
        bases = "; ".join(dict.fromkeys(line.basis for line in lines))
        basis = f"{bases}; {len(lines)} training seeds" if len(lines) > 1 else bases
        return lines[0]._replace(forecast=total(line.forecast for line in lines), basis=basis)

    def _items(self) -> tuple[list[Item], list[Item], list[Item]]:
        """Training, validation and test items: those of data/suite, or the suite that the profile names."""
        folder = self._root / layout.SUITE
        if self._use_data and (folder / "test.jsonl").is_file():
            train, validation, test = (
                read_jsonl(folder / f"{split}.jsonl", Item) for split in ("train", "validation", "test")
            )
            return train, validation, test
        spec, local = self.profile.suite, os.environ.get("DART_DATA_DIR")
        source = (
            write_suite(self.settings.seed)
            if spec.source == "embedded"
            else read_suite(spec.source, Path(local) if local else None)
        )
        suite = split_suite(source.items, spec, self.settings.split, self.settings.seed)
        return suite.train, suite.validation, suite.test

    def line(
        self, stage: str, party: str, tasks: Sequence[Task[Any]], basis: str, expected: float | None = None
    ) -> Line:
        """The forecast of `tasks` at the endpoint of `party`, or of `expected` questions of which they are examples."""
        self.progress(stage)
        endpoint = self.profile.endpoint(party)
        assert endpoint is not None, f"{self.settings.profile} has no {party}, so no stage asks it"
        result = forecast(
            tasks,
            endpoint,
            self._cache,
            fingerprint(self.profile, party, self.settings.seed),
            self._answer_tokens(stage, party, endpoint),
            self._characters_per_token,
        )
        if expected is not None:
            result = result.scaled(expected / len(tasks)) if tasks else NOTHING
        return Line(stage, party, endpoint.model, result, basis)

    def _answer_tokens(self, stage: str, party: str, endpoint: Endpoint) -> float:
        """Mean length of the cached answers of this model to this kind of stage, else an assumption."""
        kind = stage.partition("@")[0]
        groups = [
            group
            for group in self._cached_answers
            if (group.base_url, group.model) == (endpoint.base_url.rstrip("/"), endpoint.model)
            and group.stage.rpartition(":")[2].partition("@")[0] == kind
        ]
        answers = sum(group.answers for group in groups)
        if not answers:
            return ANSWER_TOKENS[party.split(" ")[0].rpartition("_")[2]]  # a second judge is a judge
        return sum(group.completion_tokens for group in groups) / answers

    def _answers(self, path: Path) -> dict[str, Generation]:
        """Real answers to exactly the test items, or nothing."""
        if not (self._use_data and path.is_file()):
            return {}
        answers = {answer.item_id: answer for answer in read_jsonl(path, Generation)}
        return answers if answers.keys() == {item.id for item in self.test} else {}

    def _generations(self, student: str, variant: str, seed: int | None = None) -> dict[str, Generation]:
        """Of a training seed; None: of the reference seed."""
        return self._answers(self._root / layout.generations(student, variant, self._seed if seed is None else seed))

    def _audit(self, stage: str, student: str, variant: str, seed: int) -> Line:
        other = self._generations(student, variant, seed)
        return self._audit_pairs(stage, student, other, SCREENED_SHARE[variant], self.settings.tau_delta)

    def arm_audit(
        self, stage: str, other: dict[str, Generation], screened: float, tau: float, party: str = "judge"
    ) -> Line:
        """An audit by an arm, of the arms' student."""
        return self._audit_pairs(stage, self.settings.arms.student, other, screened, tau, party)

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
        protocol = self.settings.audit
        attempts = self._judge_attempts()
        base = self._generations(student, "base")
        if base and other:
            deltas = {i: (other[i].toxicity or 0.0) - (base[i].toxicity or 0.0) for i in other}
            tasks = [
                judge_task(item, base[item.id], other[item.id], attempt)
                for item in self.test
                if passes_screen(deltas[item.id], tau, protocol.screen)
                or is_sampled(item, protocol, self.settings.seed)
                for attempt in attempts
            ]
            return self.line(stage, party, tasks, "real pairs")
        share = screened + (1 - screened) * protocol.unscreened_rate
        tasks = [
            judge_task(item, _stand_in(item), _stand_in(item), attempt) for item in self.test for attempt in attempts
        ]
        basis = f"assumed: {share:.0%} of {len(self.test)} pairs are judged"
        return self.line(stage, party, tasks, basis, share * len(tasks))

    def _judge_attempts(self) -> list[JudgeAttempt]:
        """What the judge is asked about one pair, in every order and for every vote."""
        return [attempt for order in judge_attempts(self.settings.audit) for attempt in order]

    def arm_answers(self, stage: str, arm: str, run: str) -> dict[str, Generation]:
        """What a run of an arm has answered to the test items after `stage` (stage1 or stage3)."""
        folder = layout.arm_stage1(arm) if stage == "stage1" else layout.arm_stage3(arm)
        return self._answers(self._root / folder / run / "answers.jsonl")

    def distilled(self) -> dict[str, Generation]:
        """The answers of the arms' student after Stage I."""
        return self._generations(self.settings.arms.student, "distilled")

    def _reaudit(self) -> list[Line]:
        """Every pair after repair, judged again by the reauditing judge."""
        arms = self.settings.arms
        if arms.reaudit == "none" or not self.settings.variants:
            return []
        repaired = self._generations(arms.student, "repaired")
        return [self._audit_pairs("arm_audits", arms.student, repaired, 1.0, SCREEN_ALL, arms.reaudit)]

    def _rewriting(self) -> Line:
        """The teacher rewrites HateCheck's failing subset of every student; test items stand in for its prompts."""
        share, students = self.profile.external.failing_share, len(self.settings.students)
        expected = share * self.profile.external.sizes.hatecheck * students
        basis = f"assumed: {share:.1%} of HateCheck, {students} students"
        return self.line("hatecheck_rewrites", "teacher", [self.target(item) for item in self.test], basis, expected)

    def _openended(self, student: str) -> list[Line]:
        """Each judge on every open-ended question: two answers alone, and both orders of comparing them."""
        questions = draw_questions(load(), self.settings.openended.per_domain, self.settings.seed)
        path = self._root / layout.openended_answers(student)
        answers = read_jsonl(path, Generation) if self._use_data and path.is_file() else []
        texts = {(answer.variant, answer.item_id): answer.rationale for answer in answers}
        complete = texts.keys() == {(side, question.id) for side in SIDES for question in questions}
        tasks = [
            task
            for question in questions
            for task in tasks_of(
                question, *(texts[side, question.id] if complete else f"{side} {OPENENDED_STAND_IN}" for side in SIDES)
            )
        ]
        basis = "real answers" if complete else f"answers assumed, {len(questions)} questions"
        parties = [party for party in ("judge", "second_judge") if getattr(self.profile, party) is not None]
        return [self.line(f"openended_judgements@{student}", party, tasks, basis) for party in parties]

    def _teacher(self, student: str) -> list[Line]:
        """Stage audit@S: the teacher's own rationales of the test items, once for all students, and their audit."""
        tasks = [rationale_task(item, self.settings.distill) for item in self.test]
        rationales = self.line(f"audit@{student}", "teacher", tasks, "real prompts")
        audit = self._audit_pairs(f"audit@{student}", student, {}, SCREENED_SHARE["distilled"], self.settings.tau_delta)
        return [rationales, audit] if student == self.settings.students[0] else [audit]

    def target(self, item: Item) -> Task[str]:
        """The teacher's task to rewrite the answer to `item`; any text passes its check."""
        messages = classification.safe_target(item.prompt, item.gold)
        return Task(
            item.id, messages, check=str, max_corrections=self.settings.repair.correction_rounds, required=False
        )

    def _targets(self, student: str, seed: int) -> Line:
        path = self._root / layout.audit(student, "before", seed)
        if self._generations(student, "distilled", seed) and path.is_file():
            cases = {record.item_id for record in read_jsonl(path, AuditRecord) if record.severity is not None}
            tasks = [self.target(item) for item in self.test if item.id in cases]
            return self.line(f"targets@{student}", "teacher", tasks, "real drift cases")
        expected = DRIFT_SHARE["distilled"] * len(self.test)
        basis = f"assumed: {DRIFT_SHARE['distilled']:.0%} of {len(self.test)} pairs are drift cases"
        return self.line(f"targets@{student}", "teacher", [self.target(item) for item in self.test], basis, expected)

    def _calibrate(self) -> list[Line]:
        student = primary(self.settings.students)
        audit = self._root / layout.audit(student, "before", self._seed)
        base, other = self._generations(student, "base"), self._generations(student, "distilled")
        annotated = {item.id for item in self.test[: self.settings.annotation.pairs]}
        basis = f"assumed: {len(annotated)} annotated pairs"
        if base and other and audit.is_file():
            records = read_jsonl(audit, AuditRecord)
            pairs = draw_pairs(self.test, records, self.settings.annotation.pairs, self.settings.seed)
            annotated, basis = {record.item_id for record in pairs}, "real pairs"
        shown = [
            (item, base.get(item.id, _stand_in(item)), other.get(item.id, _stand_in(item, OTHER_STAND_IN)))
            for item in self.test
            if item.id in annotated
        ]
        asked: dict[str, Sequence[Task[Any]]] = {
            party: [judge_task(*pair, attempt) for pair in shown for attempt in self._judge_attempts()]
            for party in ("judge", "second_judge")
            if self.profile.endpoint(party) is not None
        }
        guards = {f"{params.GUARD}{name}": guard.format for name, guard in self.profile.guards.items()}
        asked |= {party: pair_tasks(format_, shown) for party, format_ in guards.items()}
        return [self.line("judge_annotated", party, questions, basis) for party, questions in asked.items()]


def _stand_in(item: Item, text: str = RATIONALE_STAND_IN) -> Generation:
    return Generation(
        item_id=item.id,
        variant="base",
        text=text,
        rationale=text,
        prediction=item.gold,
        new_tokens=0,
        model="",
        revision="",
        prompt_hash="",
    )

"""A panel of judges: more than half of all members decide, refused votes are never taken for a side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dart.chat.tasks import Answer, Cost, Outcome, Task, Usage
from dart.core.errors import IncompleteError
from dart.core.records import Generation, Item, Judgement, Severity
from dart.core.refusal import Refusal
from dart.core.schema.method import Audit
from dart.core.schema.profile import Judge
from dart.harm.audit import audit
from dart.harm.panel import JudgePanel
from dart.harm.screen import SCREEN_ALL
from dart.stats.panel import panel_agreement
from tests.support.fake_endpoint import endpoint

# What a member says of a pair: a severity for drift, "-" for none, "?" for a refusal, "!" for a failed call.
Script = Mapping[str, str]


class ScriptedJudge:
    """In the place of a client: says what the script says of an item, in every order."""

    def __init__(self, name: str, script: Script) -> None:
        self._name = name
        self._script = script
        self.asked = 0

    def ask(self, tasks: Sequence[Task[Judgement]], *, may_miss: float = 0.0) -> Outcome[Judgement]:
        answers, failures, refusals = {}, {}, {}
        for task in tasks:
            self.asked += 1
            said = self._script[task.key.partition("/")[0]]
            if said == "?":
                refusals[task.key] = Refusal(by=self._name, kind="moderation", words="I would rather not")
            elif said == "!":
                failures[task.key] = "HTTP 500"
            else:
                answers[task.key] = Answer(task.key, judgement(said), "", None, 1, self._name)
        cost = Cost(answers=len(answers), prompt_tokens=10 * len(answers), completion_tokens=len(answers), usd=0.5)
        return Outcome(answers, failures, Usage(calls=len(answers), cost=cost), refusals, may_miss)


def judgement(said: str) -> Judgement:
    severity: Severity | str = "none" if said == "-" else said
    return Judgement.model_validate(
        {
            "is_regression": said != "-", "severity": severity, "reason": "", "a_correct": True, "b_correct": True,
            "regression_type": "none" if said == "-" else "normalizes_bias",
        }
    )  # fmt: skip


def audited(scripts: Sequence[Sequence[str]], orders: str = "both") -> tuple[Any, Any, JudgePanel]:
    """An audit of as many pairs as each script has entries."""
    items = [
        Item(id=f"q{n}", benchmark="N1", condition="EQUAL", gold="NO", prompt=f"Q {n}?", scenario=str(n))
        for n in range(len(scripts[0]))
    ]
    base, candidate = (
        [
            Generation(
                item_id=item.id, variant=side, text="", rationale=f"{side} {item.id}", prediction="NO", new_tokens=1,
                model="m", revision="r", prompt_hash="h", toxicity=0.5,
            )
            for item in items
        ]
        for side in ("base", "distilled")
    )  # fmt: skip
    names = ["judge", "second", "third", "fourth"]
    members: dict[str, Any] = {
        name: ScriptedJudge(name, {f"q{n}": said for n, said in enumerate(script)})
        for name, script in zip(names, scripts, strict=False)
    }
    panel = JudgePanel(members)
    protocol = Audit.model_validate({"orders": orders, "votes": 1, "unscreened_rate": 0.0, "may_miss": 0.5})
    records, outcome = audit(items, base, candidate, SCREEN_ALL, panel, protocol, 0)
    return records, outcome, panel


def test_more_than_half_of_the_members_decide_and_the_median_confirms() -> None:
    records, outcome, _ = audited(
        [["severe", "mild", "-", "severe"], ["mild", "-", "-", "severe"], ["moderate", "-", "mild", "-"]]
    )
    assert [record.severity for record in records] == ["moderate", None, None, "severe"]
    assert not any(record.refusal for record in records)
    assert outcome.usage.cost == Cost(answers=24, prompt_tokens=240, completion_tokens=24, usd=1.5)


def test_a_tie_is_no_drift() -> None:
    records, _, _ = audited([["mild", "mild"], ["mild", "mild"], ["-", "mild"], ["-", "-"]])
    assert [record.severity for record in records] == [None, "mild"]


def test_a_refused_vote_matters_only_where_it_could_decide() -> None:
    records, outcome, _ = audited([["mild", "mild", "-", "mild"], ["mild", "-", "-", "?"], ["?", "?", "?", "?"]])
    assert [record.severity for record in records] == ["mild", None, None, None]
    assert [record.unjudged for record in records] == [False, True, False, True]
    assert "1 of 3 votes are for drift and 1 are missing: third: I would rather not" in records[1].refusal.words
    assert records[1].refusal.by == "the panel (judge, second, third)"
    assert len(outcome.refusals) == 4, "both orders of two pairs"
    with pytest.raises(IncompleteError, match="4 of 8 tasks were refused"):
        outcome._replace(may_miss=0.1).require_complete("audit@s")


def test_a_member_that_fails_leaves_the_stage_open() -> None:
    records, outcome, _ = audited([["mild", "-"], ["mild", "-"], ["!", "-"]])
    assert [record.item_id for record in records] == ["q1"]
    with pytest.raises(IncompleteError, match="third: HTTP 500"):
        outcome.require_complete("audit@s")


def test_members_are_compared_on_the_pairs_that_both_judged() -> None:
    _, _, panel = audited([["mild", "-", "mild", "-"], ["mild", "-", "-", "-"], ["mild", "-", "?", "mild"]])
    items = [Item(id=f"q{n}", benchmark="N1", condition="EQUAL", gold="NO", prompt="", scenario="s") for n in range(5)]
    protocol = Audit.model_validate({"orders": "both", "votes": 1, "unscreened_rate": 0.0})
    verdicts = panel.member_verdicts(items, protocol)
    assert [each.item_id for each in verdicts] == ["q0", "q1", "q2", "q3"], "q4 was not judged"
    assert verdicts[2].drift == {"judge": True, "second": False, "third": None}
    report = panel_agreement([each.drift for each in verdicts])
    assert (report["pairs"], report["unanimous"]) == (4, 2)
    assert report["members"]["third"] == {"n": 3, "drift": 2}
    assert report["matrix"]["judge"]["second"]["n"] == 4
    assert report["matrix"]["judge"]["second"]["kappa"] == 0.5
    assert report["matrix"]["second"]["third"]["n"] == 3


def test_a_panel_of_one_model_twice_is_refused() -> None:
    fields = {name: getattr(endpoint(), name) for name in type(endpoint()).model_fields}
    with pytest.raises(ValueError, match="whose vote would count twice"):
        Judge.model_validate({**fields, "panel": {"again": fields}})
    with pytest.raises(ValueError, match="'judge' is the name of the judge itself"):
        Judge.model_validate({**fields, "panel": {"judge": {**fields, "model": "other"}}})
    assert list(Judge.model_validate({**fields, "panel": {"other": {**fields, "model": "other"}}}).panel) == ["other"]

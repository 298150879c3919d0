"""A panel of judges as the audit's judge: every member is asked every question, and more than half of them decide.

One judge's peculiarities decide what is repaired; a majority of judges from several makers has fewer (Verga et al.,
2024, "Replacing Judges with Juries"). A panel is asked as one judge is, so the audit does not know the difference. The
paper's audit has a single judge (Section 2.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

from dart.chat.client import ChatClient
from dart.chat.tasks import Answer, Outcome, Task, Usage
from dart.core.records import Item, Judgement, Record
from dart.core.refusal import Refusal
from dart.core.schema.method import Audit
from dart.harm.audit import judge_attempts
from dart.harm.judge import combine_verdicts, task_key


class PanelVerdict(Record):
    """What each member by itself would have said of one pair; None where it refused."""

    item_id: str
    drift: dict[str, bool | None]


class JudgePanel:
    """Several judges that are asked as one.

    A verdict needs more than half of all members for drift. Against it stands everything else, a tie included; a
    question on which refused votes could still change the outcome has no verdict and is a refusal.
    """

    def __init__(self, members: Mapping[str, ChatClient]) -> None:
        self._members = dict(members)
        self._votes: dict[str, dict[str, Judgement]] = {}  # of the last questions: verdict by task, by member

    # Deviates from the paper: judge-panel - the majority of several judges decides, where a profile names them
    def ask(self, tasks: Sequence[Task[Judgement]], *, may_miss: float = 0.0) -> Outcome[Judgement]:
        """Ask every member every task, one member after the other.

        Args:
            may_miss: share of the tasks that any one member, and the panel as a whole, may leave without a verdict.

        Raises:
            ChatError: a member's endpoint refuses requests of this kind.
        """
        outcomes = {name: client.ask(tasks, may_miss=may_miss) for name, client in self._members.items()}
        self._votes = {
            name: {key: answer.value for key, answer in outcome.answers.items() if answer.value is not None}
            for name, outcome in outcomes.items()
        }
        failures = {
            key: f"{name}: {reason}" for name, outcome in outcomes.items() for key, reason in outcome.failures.items()
        }
        answers: dict[str, Answer[Judgement]] = {}
        refusals: dict[str, Refusal] = {}
        for task in tasks:
            if task.key in failures:
                continue
            decided = self._decide(task.key, outcomes)
            if isinstance(decided, Refusal):
                refusals[task.key] = decided
                continue
            answers[task.key] = decided
            if decided.refusal is not None:
                refusals[task.key] = decided.refusal
        usage = reduce(add, (outcome.usage for outcome in outcomes.values()), Usage())
        return Outcome(answers, failures, usage, refusals, may_miss)

    def _decide(self, key: str, outcomes: Mapping[str, Outcome[Judgement]]) -> Answer[Judgement] | Refusal:
        size = len(self._members)
        given = [outcome.answers[key] for name, outcome in outcomes.items() if key in self._votes[name]]
        votes = [answer.value for answer in given if answer.value is not None]
        drift = sum(vote.is_regression for vote in votes)
        if 2 * drift <= size and 2 * (len(votes) - drift) < size:
            missing = {name: outcome.missing[key] for name, outcome in outcomes.items() if key in outcome.missing}
            words = "; ".join(f"{name}: {refusal.words}" for name, refusal in missing.items())
            kind = next(iter(missing.values())).kind
            return Refusal(
                by=f"the panel ({', '.join(self._members)})", kind=kind,
                words=f"{drift} of {size} votes are for drift and {len(missing)} are missing: {words}",
            )  # fmt: skip
        verdict, _ = combine_verdicts([votes])
        first = given[votes.index(verdict)]
        late = [answer.refusal for answer in given if answer.refusal is not None]  # answered by a member's fallback
        return first._replace(
            value=verdict, attempts=sum(answer.attempts for answer in given), refusal=next(iter(late), None)
        )

    def member_verdicts(self, items: Sequence[Item], protocol: Audit) -> list[PanelVerdict]:
        """Of the pairs that the last audit judged, what each member would have said alone, under the same protocol."""
        orders = judge_attempts(protocol)
        verdicts = []
        for item in items:
            keys = [[task_key(item.id, attempt) for attempt in order] for order in orders]
            drift = {name: _alone(votes, keys) for name, votes in self._votes.items()}
            if any(value is not None for value in drift.values()):
                verdicts.append(PanelVerdict(item_id=item.id, drift=drift))
        return verdicts


def _alone(votes: Mapping[str, Judgement], keys: Sequence[Sequence[str]]) -> bool | None:
    if any(key not in votes for order in keys for key in order):
        return None
    return combine_verdicts([[votes[key] for key in order] for order in keys])[0].is_regression

"""Whom the arms may ask: every teacher and judge of the profile by role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dart.ablations.rationales import Parties
from dart.core.params import JudgeEndpoint, OtherTeacherEndpoints, SecondJudgeEndpoint, TeacherEndpoint
from dart.core.records import Item
from dart.core.schema.profile import Endpoint, Judge
from stages.clients import AskingParams, chat_client, judge_client


class TeachersParams(AskingParams):
    teacher: TeacherEndpoint
    other_teachers: OtherTeacherEndpoints

    def endpoints(self) -> dict[str, Endpoint | None]:
        return {
            "teacher": self.teacher,
            "second_teacher": self.other_teachers.second,
            "third_teacher": self.other_teachers.third,
        }


class JudgesParams(AskingParams):
    judge: JudgeEndpoint
    second_judge: SecondJudgeEndpoint

    def endpoints(self) -> dict[str, Endpoint | None]:
        return {"judge": self.judge, "second_judge": self.second_judge}


def parties(stage: str, params: AskingParams, endpoints: dict[str, Endpoint | None], items: Sequence[Item]) -> Parties:
    """Clients by role.

    Args:
        items: what a simulated teacher has to know the labels of where it is told none.
    """

    def client(role: str, known: Sequence[Item] = ()) -> Any:  # a panel is asked as the one judge that it stands for
        endpoint = endpoints[role]
        if isinstance(endpoint, Judge):
            return judge_client(stage, endpoint, params)
        return chat_client(stage, role.replace("_", " "), endpoint, params, known)

    return Parties(stage, client, lambda role: client(role, items), [])

"""What a run comes to by part: requests, dollars, by batch as well, GPU hours, disk, and a sign of life."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from dart.core.params import check
from dart.core.records import Item
from dart.core.schema.profile import DistilledStudent
from dart.estimate import progress
from dart.estimate.compute import computes, parameters_of
from dart.estimate.forecast import Forecast, Line, at_batch_price, part_of, total
from dart.estimate.progress import SignOfLife
from dart.estimate.recipes import recipe_lines
from dart.estimate.table import subtotals
from tests.support.fake_endpoint import endpoint
from tests.support.tiny_models import spec

ROOT = Path(__file__).resolve().parents[2]
ITEM = Item(id="i", benchmark="D1", condition="EQUAL", gold="NO", prompt="p", scenario="s")
SIZES = {"train": 4800, "validation": 1600, "test": 1624}
ONE = Forecast(10, 0, 100, 10, 2.0, 4.0, 0.5)


@pytest.mark.parametrize(("stage", "part"), [
    ("distill", "main path"), ("audit@base", "main path"), ("judge_annotated", "main path"),
    ("arm_pools@noise", "ablations"), ("arm_audits", "ablations"),
    ("openended_judgements@base", "external"), ("hatecheck_rewrites", "external"),
    ("recipe_audits@base", "recipes"), ("audit_training@base", "recipes"),
])  # fmt: skip
def test_every_stage_belongs_to_a_part(stage: str, part: str) -> None:
    assert part_of(stage) == part


def test_subtotals_add_up() -> None:
    lines = [Line(stage, "judge", "m", ONE, "") for stage in ("distill", "audit@base", "arm_audits", "recipe_pools@s")]
    sums = subtotals(lines)
    assert list(sums) == ["main path", "ablations", "recipes"], "external asks nothing here"
    assert sums["main path"].requests == 20
    assert total(sums.values()) == total(line.forecast for line in lines)


def test_a_batch_costs_half_and_takes_up_to_a_day_at_providers_alone() -> None:
    line = Line("distill", "teacher", "m", ONE, "")
    cheaper = at_batch_price(line, endpoint(base_url="https://host.example/v1")).forecast
    assert (cheaper.usd, cheaper.most_usd, cheaper.hours, cheaper.requests) == (1.0, 2.0, 24.0, 10)
    assert at_batch_price(line, endpoint(base_url="http://localhost:8000/v1")) == line
    assert at_batch_price(line, endpoint()) == line


def test_recipes_are_counted_by_slot_and_seed() -> None:
    settings, profile = check(ROOT, profile="embedded")
    counted: list[tuple[str, str, int, int]] = []

    class Counting:
        def __init__(self) -> None:
            self.settings, self.profile = settings, profile
            self.train, self.validation, self.test = ([ITEM] * n for n in (5, 3, 4))

        def assumed_audit(self, stage: str, items: Sequence[Item], share: float, times: int) -> Line:
            counted.append(("audit", stage, len(items), times))
            return Line(stage, "judge", "m", ONE, "")

        def assumed_targets(self, stage: str, items: Sequence[Item], share: float, times: int) -> Line:
            counted.append(("targets", stage, len(items), times))
            return Line(stage, "teacher", "m", ONE, "")

    seeds = len(profile.seeds)
    assert {part_of(line.stage) for line in recipe_lines(Counting(), "small")} == {"recipes"}
    names = settings.recipes["small"]
    assert ("audit", "audit_training@small", 5, 1 + seeds) in counted  # the teacher's texts, and each seed's own
    assert ("targets", "recipe_pools@small", 4, seeds) in counted
    assert ("audit", "recipe_audits@small", 7, seeds * (len(names) + 3)) in counted
    tuned = profile.students["small"].model_copy(
        update={"distilled": DistilledStudent(kind="adapter", model="me/tuned", revision="f" * 40)}
    )
    profile = profile.model_copy(update={"students": {"small": tuned}})
    recipe_lines(Counting(), "small")
    assert ("audit", "audit_training@small", 5, 2) in counted, "a tuned student is one for all seeds"
    settings = settings.model_copy(update={"recipes": {}})
    assert recipe_lines(Counting(), "small") == []


@pytest.mark.parametrize(("model", "size"), [
    ("meta-llama/Llama-3.2-3B-Instruct", 3e9), ("meta-llama/Meta-Llama-3-8B-Instruct", 8e9),
    ("Qwen/Qwen2.5-14B-Instruct", 14e9), ("mistralai/Mistral-7B-Instruct-v0.3", 7e9), ("google/gemma-2-9b-it", 9e9),
    ("Qwen/Qwen2.5-0.5B", 0.5e9), ("someone/basic-bert", None),
])  # fmt: skip
def test_a_name_says_the_size(model: str, size: float | None) -> None:
    assert parameters_of(spec(model=model)) == size


def test_hours_and_disk_grow_with_model_seeds_and_arms() -> None:
    settings, profile = check(ROOT, profile="paper")
    settings = settings.model_copy(update={"students": ("small", "base")})
    small, base = computes(settings, profile, SIZES)
    assert base.hours["main path"] > small.hours["main path"] > 0
    assert base.checkpoint_gib == pytest.approx(16e9 / 2**30)
    arms = {slot.slot for slot in (small, base) if slot.hours["ablations"]}
    assert arms == {settings.arms.student}, "arms train one slot"
    again = computes(settings, profile.model_copy(update={"seeds": (1, 2)}), SIZES)[1]
    assert 1.8 < again.hours["main path"] / base.hours["main path"] < 2
    assert again.adapters_gib > base.adapters_gib
    tuned = DistilledStudent(kind="adapter", model="me/tuned", revision="f" * 40)
    students = {slot: each.model_copy(update={"distilled": tuned}) for slot, each in profile.students.items()}
    without = computes(settings, profile.model_copy(update={"students": students}), SIZES)[1]
    assert 0.6 < without.hours["main path"] / base.hours["main path"] < 0.7, "no Stage I: two trainings of three"
    embedded = computes(*check(ROOT, profile="embedded"), SIZES)
    assert {sum(slot.hours.values()) for slot in embedded} == {0.0}


def test_a_terminal_sees_a_sign_of_life_and_nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TERMINAL_S", 0.0)
    monkeypatch.setattr(progress, "PLAIN_S", 0.0)
    log = io.StringIO()
    SignOfLife(log)("audit@base")
    assert log.getvalue() == "dart estimate: audit@base\n"
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    sign = SignOfLife(terminal)
    sign("audit@base")
    sign.close()
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")

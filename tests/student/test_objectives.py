"""Objectives besides cross entropy: the preferred grows likelier, the anchored stays, sums of adapters are exact."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dart.core.errors import DataError, ParameterError
from dart.core.records import PreferencePair, TrainingRow
from dart.core.schema.method import Lora, Training
from dart.student import adapter
from dart.student.kl_anchor import KLAnchor
from dart.student.loading import load
from dart.student.preference import Preference, train_preference
from dart.student.task_arithmetic import combine_adapters
from dart.student.train import train_adapter
from tests.support.tiny_models import spec

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def start(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("adapters") / "start"
    train_adapter(base, spec(learning_rate=0.02), rows, lora, training, 1, out)
    return out


@pytest.fixture(scope="module")
def pairs(rows: list[TrainingRow]) -> list[PreferencePair]:
    return [
        PreferencePair(key=row.key, messages=row.messages, chosen=row.response, rejected=other.response)
        for row, other in zip(rows, reversed(rows), strict=True)
        if row.response != other.response
    ]


def margin(base: Path, folder: Path, pairs: list[PreferencePair]) -> float:
    """Mean log-probability of the chosen minus the rejected answers."""
    student = load(base, spec())
    model = adapter.load_adapter(student, folder).eval()

    def log_probability(pair: PreferencePair, text: str) -> float:
        row = student.template.row_ids(pair.messages, text, 256)
        ids = torch.tensor([row.ids])
        with torch.no_grad():
            scores = torch.log_softmax(model(ids).logits[0, :-1], dim=-1)
        answer = range(row.n_prompt - 1, len(row.ids) - 1)
        return sum(float(scores[place, ids[0, place + 1]]) for place in answer)

    return sum(log_probability(pair, pair.chosen) - log_probability(pair, pair.rejected) for pair in pairs) / len(pairs)


@pytest.mark.parametrize("objective", ["dpo", "orpo"])
def test_the_preferred_answer_becomes_likelier(
    objective: Preference, base: Path, start: Path, pairs: list[PreferencePair], lora: Lora, training: Training,
    tmp_path: Path,
) -> None:  # fmt: skip
    before = adapter.fingerprint(start)
    for name in ("first", "second"):
        train_preference(
            base, spec(learning_rate=0.02), pairs, lora, training, objective, 0.1, 3, tmp_path / name, start, 8
        )
    assert margin(base, tmp_path / "first", pairs) > margin(base, start, pairs) + 0.5
    assert adapter.fingerprint(tmp_path / "first") == adapter.fingerprint(tmp_path / "second")
    assert adapter.fingerprint(start) == before
    curve = json.loads((tmp_path / "first" / "log.json").read_text())
    assert curve[-1]["step"] == 8
    if objective == "dpo":  # the reference is the adapter that training starts from, and not the base without one
        assert curve[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert f"| objective | {objective} 0.1 |" in (tmp_path / "first" / "README.md").read_text()


def test_a_gemma_without_a_system_role_is_trained_on_pairs(
    bases: dict[str, Path], rows: list[TrainingRow], pairs: list[PreferencePair], lora: Lora, training: Training,
    tmp_path: Path,
) -> None:  # fmt: skip
    train_adapter(bases["gemma2"], spec(), rows[:4], lora, training, 1, tmp_path / "start", steps=1)
    for objective in ("dpo", "orpo"):
        train_preference(
            bases["gemma2"], spec(), pairs[:4], lora, training, objective, 0.1, 1, tmp_path / objective,
            tmp_path / "start", 1,
        )  # fmt: skip
        assert (tmp_path / objective / adapter.WEIGHTS).is_file()


def test_pairs_that_cannot_be_trained_on_are_refused(
    base: Path, start: Path, pairs: list[PreferencePair], lora: Lora, training: Training, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="empty list of pairs"):
        train_preference(base, spec(), [], lora, training, "dpo", 0.1, 1, tmp_path / "a", start, 1)
    odd = training.model_copy(update={"global_batch": 6})
    with pytest.raises(ParameterError, match="dpo needs a multiple of 4"):
        train_preference(base, spec(), pairs, lora, odd, "dpo", 0.1, 1, tmp_path / "a", start, 1)


def test_an_anchor_holds_the_student_where_it_started(
    base: Path, start: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    plain = lora.model_copy(update={"dropout": 0.0})
    train_adapter(base, spec(learning_rate=0.02), rows, plain, training, 1, tmp_path / "start")
    reference = tmp_path / "start"
    new = [row.model_copy(update={"response": row.response[::-1]}) for row in rows[:2]]
    curves = {}
    for weight in (1e-6, 30.0):
        anchor = KLAnchor(weight, reference, new, training.max_length)
        train_adapter(
            base, spec(learning_rate=0.02), [*rows, *new], plain, training, 1, tmp_path / str(weight), steps=12,
            start_from=reference, regulariser=anchor,
        )  # fmt: skip
        curves[weight] = [point["kl"] for point in json.loads((tmp_path / str(weight) / "log.json").read_text())]
    assert curves[30.0][0] == pytest.approx(0, abs=1e-5)  # before the first step it is the reference itself
    assert curves[30.0][-1] < 0.5 * curves[1e-6][-1]
    names = load_file(tmp_path / "30.0" / adapter.WEIGHTS).keys()
    assert not [name for name in names if "reference" in name]


def test_rows_of_the_repair_are_not_anchored(
    base: Path, start: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    anchor = KLAnchor(1.0, start, rows, training.max_length)
    train_adapter(
        base, spec(), rows, lora, training, 1, tmp_path / "free", steps=1, start_from=start, regulariser=anchor
    )
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "plain", steps=1, start_from=start)
    assert adapter.fingerprint(tmp_path / "free") == adapter.fingerprint(tmp_path / "plain")


def deltas(folder: Path) -> dict[str, torch.Tensor]:
    """Scaling x B A of each layer."""
    config = json.loads((folder / adapter.CONFIG).read_text())
    weights = load_file(folder / adapter.WEIGHTS)
    scale = config["lora_alpha"] / config["r"]
    return {
        name: scale * weights[name.replace("lora_A", "lora_B")] @ weights[name] for name in weights if "lora_A" in name
    }


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_task_arithmetic_adds_what_repair_changed(
    weight: float, base: Path, start: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    train_adapter(base, spec(learning_rate=0.02), rows[:6], lora, training, 2, end, start_from=start)
    combine_adapters(base, spec(), start, end, weight, tmp_path / "sum")
    first, last, combined = deltas(start), deltas(end), deltas(tmp_path / "sum")
    for name, delta in combined.items():
        torch.testing.assert_close(delta, first[name] + weight * (last[name] - first[name]), atol=1e-5, rtol=1e-4)
    assert any(not torch.equal(first[name], last[name]) for name in first)
    adapter.load_adapter(load(base, spec()), tmp_path / "sum")

"""What arms train and answer, without a model: which rows, from which adapter, and which items stay unseen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dart.ablations.run import cross_validate, lora_of, noise_floor, train_stage1, train_stage3
from dart.core.files import read_jsonl
from dart.core.records import Generation, Item, Rationale, RepairTarget, TrainingRow
from dart.core.schema.ablations import Change, Decoding, Run
from dart.core.schema.method import GenerationParams, Lora, SeverityWeights

LORA = Lora(r=16, alpha=32, dropout=0.0, target_modules=("q_proj",))
ITEMS = {
    f"D1-DIFF-{n}": Item(
        id=f"D1-DIFF-{n}", benchmark="D1", condition="DIFF", gold="YES", prompt=f"prompt {n}", scenario=f"{n}"
    )
    for n in range(10)
}
TEST = list(ITEMS.values())[8:]
RATIONALES = [
    Rationale(
        item_id=item, label="YES", text=f"why {item}\nConclusion: YES", accepted=True, problems=(), attempts=1,
        model="m", prompt_hash="h",
    )
    for item in list(ITEMS)[:8]
]  # fmt: skip
TARGETS = [
    RepairTarget(
        item_id=item, severity="severe", text="safe\nConclusion: YES", toxicity=0.1, toxicity_distilled=0.2,
        accepted=True, problems=(), model="m", prompt_hash="h",
    )
    for item in list(ITEMS)[8:]
]  # fmt: skip
WEIGHTS = SeverityWeights(mild=1, moderate=2, severe=3, extreme=4)


class RecordingContext:
    """Stands for `ArmContext`: writes down what is trained and answers with the adapter's name."""

    def __init__(self, folder: Path) -> None:
        self.lora, self.seed = LORA, 42
        self.generation = GenerationParams(max_new_tokens=8, temperature=0.0, top_p=1.0)
        self.folder = folder
        self.trained: list[dict[str, Any]] = []
        self.asked: list[tuple[Any, ...]] = []

    def train(self, rows: Sequence[TrainingRow], **options: Any) -> Path:
        adapter = self.folder / f"adapter-{len(self.trained)}"
        adapter.mkdir()
        self.trained.append({"rows": list(rows), **options})
        return adapter

    def answers(self, adapter: Path | None, items: Sequence[Item], *options: Any) -> list[Generation]:
        self.asked.append((adapter, *options))
        return [
            Generation(
                item_id=item.id, variant="arm", text=str(adapter), rationale=str(adapter), prediction="YES",
                new_tokens=1, model="m", revision="r", prompt_hash="h",
            )
            for item in items
        ]  # fmt: skip


@pytest.fixture
def context(tmp_path: Path) -> Any:
    return RecordingContext(tmp_path)


def test_a_fold_is_answered_by_a_student_that_has_not_seen_it(context: Any, tmp_path: Path) -> None:
    folds = {item: index % 3 for index, item in enumerate(ITEMS)}
    cross_validate(context, Change(folds=(0, 2)), RATIONALES, ITEMS, folds, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["fold_0.jsonl", "fold_2.jsonl"]
    for index, fold in enumerate((0, 2)):
        held_out = {item for item in ITEMS if folds[item] == fold}
        trained = {row.key for row in context.trained[index]["rows"]}
        answered = {answer.item_id for answer in read_jsonl(tmp_path / "out" / f"fold_{fold}.jsonl", Generation)}
        assert answered == held_out
        assert trained == {rationale.item_id for rationale in RATIONALES} - held_out
        assert context.asked[index] == (tmp_path / f"adapter-{index}",)


def test_stage3_goes_on_from_stage1_with_weighted_copies(context: Any, tmp_path: Path) -> None:
    weights = SeverityWeights(mild=1, moderate=1, severe=1, extreme=1)
    for number, (change, copies) in enumerate([(Change(rank=4), 3), (Change(severity_weights=weights), 1)]):
        out = tmp_path / f"out-{number}"
        train_stage3(context, Run(change=change), tmp_path, RATIONALES, TARGETS, ITEMS, TEST, WEIGHTS, out)
        trained = context.trained[number]
        assert trained["start"] == tmp_path
        assert len(trained["rows"]) == len(RATIONALES) + copies * len(TARGETS)
        assert trained["lora"].r == (change.rank or 16)
        assert (out / "adapter").is_dir()


def test_severity_noise_moves_the_copies(context: Any, tmp_path: Path) -> None:
    change = Change.model_validate({"severity_noise": {"kind": "up", "share": 1.0}})
    train_stage3(context, Run(change=change), tmp_path, RATIONALES, TARGETS, ITEMS, TEST, WEIGHTS, tmp_path / "out")
    assert len(context.trained[0]["rows"]) == len(RATIONALES) + 4 * len(TARGETS)


def test_stage1_on_labels_has_nothing_but_conclusions(context: Any, tmp_path: Path) -> None:
    run = Run(change=Change(stage1="label_only", repair="none", toxicity_weight=None))
    train_stage1(context, run, RATIONALES, ITEMS, TEST, tmp_path / "out")
    assert {row.response for row in context.trained[0]["rows"]} == {"Conclusion: YES"}


def test_alpha_keeps_its_ratio_to_the_rank() -> None:
    assert lora_of(LORA, Change()) == LORA
    assert (lora_of(LORA, Change(rank=4)).r, lora_of(LORA, Change(rank=4)).alpha) == (4, 8)
    assert lora_of(LORA, Change(rank=32)).alpha == 64


def test_the_noise_floor_asks_one_student_twice_with_other_draws(context: Any, tmp_path: Path) -> None:
    sampled = Decoding(temperature=0.2, top_p=0.9)
    noise_floor(context, Change(again="distilled", decoding=sampled), tmp_path, TEST, tmp_path / "out")
    decoding = GenerationParams(max_new_tokens=8, temperature=0.2, top_p=0.9)
    assert context.asked == [(tmp_path, decoding, 0), (tmp_path, decoding, 1)]
    noise_floor(context, Change(again="base"), tmp_path, TEST, tmp_path / "out2")
    assert [asked[0] for asked in context.asked[2:]] == [None, None]

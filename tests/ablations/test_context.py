"""What the runs of an arm share: equal trainings are done once, and a killed arm finds what it had trained."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dart.ablations import context as module
from dart.ablations.context import ArmContext
from dart.core import hub
from dart.core.records import TrainingRow
from dart.core.schema.method import Lora, Training
from tests.support.tiny_models import spec

LORA = Lora(r=4, alpha=8, dropout=0.0, target_modules=("q_proj",))
TRAINING = Training(epochs=1, global_batch=2, warmup_ratio=0.0, weight_decay=0.0, max_grad_norm=1.0, max_length=64)


def row(key: str) -> TrainingRow:
    return TrainingRow(key=key, messages=({"role": "user", "content": "q"},), response=f"a {key}")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[int, int]]:
    """(rows, seed) of every training that really ran; a file stands for the weights."""
    done: list[tuple[int, int]] = []

    def train(base: Path, student: Any, rows: Any, lora: Any, training: Any, seed: int, out: Path, **_: Any) -> None:
        done.append((len(rows), seed))
        out.mkdir()
        (out / "weights").write_text(f"{len(rows)} {lora.r} {seed}")

    monkeypatch.setattr(module, "train_adapter", train)
    monkeypatch.setattr(hub, "resolve", lambda base: (str(base), "revision 1"))
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    return done


def arm(stack: ExitStack, code: str = "this code") -> ArmContext:
    nothing: Any = None
    return ArmContext(
        code=code,
        seed=42,
        student=spec(),
        base=Path("base"),
        lora=LORA,
        training=TRAINING,
        generation=nothing,
        toxreg=None,
        classifier=nothing,
        stack=stack,
    )


def test_equal_rows_train_once_and_others_again(trained: list[tuple[int, int]]) -> None:
    with ExitStack() as stack:
        context = arm(stack)
        first, again = context.train([row("a")], None), context.train([row("a")], None)
        assert first == again
        assert (first / "weights").read_text() == "1 4 42"
        others = [
            context.train([row("b")], None),
            context.train([row("a")], 7),
            context.train([row("a")], None, lora=LORA.model_copy(update={"r": 8})),
        ]
        assert len({first, *others}) == 4
    assert trained == [(1, 42), (1, 42), (1, 7), (1, 42)]


def test_an_arm_that_was_killed_finds_what_it_had_trained(
    trained: list[tuple[int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def killed() -> None:
        with ExitStack() as stack:
            folders.append(arm(stack).train([row("a")], None))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    [kept] = folders
    assert (kept / "weights").is_file()
    with ExitStack() as stack:
        assert arm(stack).train([row("a")], None) == kept
    assert trained == [(1, 42)]
    assert not kept.exists(), "an arm that is written leaves nothing behind"
    with ExitStack() as stack, monkeypatch.context() as changed:
        changed.setattr(hub, "resolve", lambda base: (str(base), "revision 2"))
        assert arm(stack).train([row("a")], None) != kept, "trained from another base"
    with ExitStack() as stack:
        assert arm(stack, "other code").train([row("a")], None) != kept, "trained by other code"
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        assert arm(stack).train([row("a")], None) != kept, "another clone's arm must not clear this one's"

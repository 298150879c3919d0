"""What an ablation arm takes from the main path, and the acts that its stages have in common.

Adapters are kept by what decides them: points of an arm whose rows are the same train once, and an arm that was killed
finds what it had trained. They vanish when the arm is written.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from dart.chat.client import ChatClient
from dart.chat.tasks import Cost, Outcome
from dart.core.distributed import is_main_process, run_on_main_process
from dart.core.files import write_jsonl
from dart.core.hub import resolve
from dart.core.params import StageParams
from dart.core.records import AuditRecord, Generation, Item, Label, Rationale, Record, TrainingRow
from dart.core.schema.method import GenerationParams, Lora
from dart.core.seeds import digest
from dart.distill.labels import predict_labels
from dart.harm.audit import audit
from dart.harm.classifier import Classifier, score_generations
from dart.student import adapter
from dart.student.checkpoints import checkpoint_folder
from dart.student.generation import generate
from dart.student.toxicity import ToxicityRegulariser
from dart.student.train import train_adapter

Labels = Mapping[str, Label]
Found = TypeVar("Found")


class Sources(NamedTuple):
    """Where the main path keeps what arms start from."""

    base: Path  # the student's checkpoint or pin
    distilled: Path  # its Stage I adapter


class ArmContext(NamedTuple):
    """Everything of the main path that an arm shares."""

    given: StageParams
    sources: Sources
    client: Callable[[str], ChatClient]  # by party
    unlabelled: Callable[[str], ChatClient]  # the same for questions that tell no label
    items: list[Item]  # the test set
    known: dict[str, Item]  # training and test items by id
    folds: dict[str, int]  # of training and test items, by id
    validation: list[Item]
    rationales: list[Rationale]  # of the training items
    base: list[Generation]
    distilled: list[Generation]
    classifier: Classifier
    costs: list[Cost]
    stack: ExitStack  # closed when the arm is written

    @property
    def student(self) -> str:
        return str(self.given.arms.student)

    def ask(self, work: Callable[[], tuple[Found, Outcome[Any]]]) -> Found:
        """What `work` asks for, asked by one process for all; stops if an answer is missing, and counts the cost."""
        found, outcome = run_on_main_process(work)
        outcome.require_complete(self.given.stage)
        self.costs.append(outcome.usage.cost)
        return found

    def audited(
        self,
        base: Sequence[Generation],
        answers: Sequence[Generation],
        tau_delta: float,
        judge: str,
        labels: Labels | None = None,
    ) -> list[AuditRecord]:
        """`answers` to the test set against `base`; the judge is told `labels`, None: the gold labels."""
        given = self.given
        return self.ask(
            lambda: audit(self.items, base, answers, tau_delta, self.client(judge), given.audit, given.seed, labels)
        )

    def labels(self, told: str, items: Sequence[Item], teacher: str = "teacher") -> Labels | None:
        """What a party is told about `items`: None is gold, an item that is absent is asked about without a label."""
        if told == "gold":
            return None
        if told == "none":
            return {}
        return self.ask(lambda: predict_labels(items, self.unlabelled(teacher)))

    def answered(
        self, trained: Path | None, items: Sequence[Item], decoding: GenerationParams | None = None, draw: int = 0
    ) -> list[Generation]:
        """`items` answered with an adapter (None: by base) and scored; decoded as on the main path, unless told."""
        given, name = self.given, "arm" if trained else "base"
        found = generate(
            self.sources.base, given.student(self.student), {name: trained}, items, decoding or given.generation,
            given.seed + draw,
        )  # fmt: skip
        return score_generations(found[name], self.classifier)

    def trained(
        self,
        rows: Sequence[TrainingRow],
        seed: int | None,
        start: Path | None = None,
        lora: Lora | None = None,
        toxicity_weight: float | None = None,
    ) -> Path:
        """An adapter trained on `rows` as the recipe says, from `start` or anew; `seed` None is the recipe's."""
        given, wanted = self.given, lora or self.given.lora
        training_seed = given.seed if seed is None else seed
        identity = digest(
            str(Path.cwd()), _code(), resolve(self.sources.base),
            [row.model_dump() for row in rows], wanted.model_dump(), given.training.model_dump(),
            given.student(self.student).model_dump(), training_seed, adapter.fingerprint(start) if start else None,
            None if toxicity_weight is None else (toxicity_weight, given.toxreg.model_dump(), self.classifier.source),
        )  # fmt: skip
        # The working folder's name is part of it: two clones that run one arm must not clear each other's.
        out = self.stack.enter_context(checkpoint_folder(identity, "arms")) / "adapter"
        if not out.is_dir():
            train_adapter(
                self.sources.base, given.student(self.student), rows, wanted, given.training, training_seed, out,
                start_from=start, regulariser=self._regulariser(toxicity_weight, training_seed),
            )  # fmt: skip
        return out

    def _regulariser(self, weight: float | None, seed: int) -> ToxicityRegulariser | None:
        return None if weight is None else ToxicityRegulariser(self.classifier, weight, self.given.toxreg, seed)


@functools.cache
def _code() -> str:
    """The code that trains: what an arm had trained before it was killed and changed is not its own any more."""
    files = sorted(Path(adapter.__file__).parent.glob("*.py"))
    return digest([(file.name, file.read_text(encoding="utf-8")) for file in files])


def make_folder(out: Path) -> None:
    """Make a folder of the arm's out; one process for all."""
    if is_main_process():
        out.mkdir()


def keep(file: Path, records: Sequence[Record]) -> None:
    """Write a file of the arm's out; one process for all."""
    if is_main_process():
        write_jsonl(file, records)


def keep_adapter(trained: Path, out: Path) -> None:
    """Copy an adapter into the arm's out; one process for all."""
    if is_main_process():
        shutil.copytree(trained, out)

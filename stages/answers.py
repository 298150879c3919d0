"""The test set answered by variants of a student, decoded alike and scored by H: what base and every adapter do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from dart.core import hub, layout
from dart.core.distributed import is_main_process, replacing_on_main_process, run_on_main_process
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import ScorerSpecs, StageParams, StudentSlot, TrainingSeeds
from dart.core.records import Generation, Item
from dart.core.result_cache import code_digest, has_result, result_cache
from dart.core.schema.method import GenerationParams
from dart.harm.classifier import Classifier, score_generations
from dart.student import adapter
from dart.student.generation import generate_each


class AnsweringParams(StageParams):
    seeds: TrainingSeeds
    seed: int
    generation: GenerationParams
    student: StudentSlot
    scorers: ScorerSpecs

    @property
    def reference_seed(self) -> int:
        return self.seeds[0]


def answer_test_set(script: str, params: AnsweringParams, student: str, variant: str, *, base: bool = False) -> None:
    """Let a variant of every training seed answer the test set, score the answers and write them.

    Args:
        script: of the stage, e.g. generate.
        base: let the base answer, too.
    """
    adapters: dict[str, Path | None] = {"base": None} if base else {}
    adapters |= {layout.seed_name(seed): layout.adapter(student, variant, seed) for seed in params.seeds}
    with result_cache(f"{script}@{student}/answers") as cache:
        answers = _answers(script, params, student, adapters, cache.path)
        classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
        with replacing_on_main_process(layout.seed_generations(student, variant)) as folder:
            for name, generations in answers.items():
                own = "base" if name == "base" else variant
                labelled = [answer.model_copy(update={"variant": own}) for answer in generations]
                scored = score_generations(labelled, classifier)
                file = layout.generations(student, "base", params.reference_seed)
                if is_main_process():
                    write_jsonl(file if name == "base" else folder / f"{name}.jsonl", scored)


def _answers(
    script: str, params: AnsweringParams, student: str, adapters: Mapping[str, Path | None], path: Callable[..., Path]
) -> dict[str, list[Generation]]:
    """Answers by name, not scored: those that an earlier run of the stage left, and the others from the student."""
    items = read_jsonl(layout.split("test"), Item)
    files = {
        name: path(
            code_digest(script),
            hub.resolve(layout.base(student)),
            adapter.fingerprint(folder) if folder else None,
            params.student.model_dump(),
            params.generation.model_dump(),
            params.seed,
            [item.model_dump() for item in items],
        )
        for name, folder in adapters.items()
    }
    missing = {name: adapters[name] for name, file in files.items() if not has_result(file)}
    if missing:
        each = generate_each(layout.base(student), params.student, missing, items, params.generation, params.seed)
        for name, generations in each:
            if is_main_process():
                write_jsonl(files[name], generations)
    return {name: run_on_main_process(partial(read_jsonl, file, Generation)) for name, file in files.items()}

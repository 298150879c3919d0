"""A folder with one repository per publication: its files, its card, and a list of what was written with its hashes.

What is no list entry is not published, so that nothing reaches the hub that was not looked at here. Texts are written
only where they may be passed on: of the published benchmark no prompt is, and no answer, which would quote it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from dart.cards.adapter_card import BASE_FOLDER, adapter_card, base_is_ours
from dart.cards.dataset_card import dataset_card, run_card
from dart.cards.facts import PUBLISHED_SUITE, Facts, Licence, licence_of_data, licence_of_student
from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import replacing, write_json
from dart.core.records import Record

LIST = "publication.json"
CARD = "README.md"
AUDITED = ("before", "after", "control")
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
# Fields of records without words of a prompt, an answer, a judge or a server; a new field is left out until it is here.
_TEXTLESS = frozenset(
    {
        "item_id", "variant", "prediction", "new_tokens", "model", "revision", "prompt_hash", "toxicity",
        "toxicity_base", "toxicity_candidate", "delta", "screened", "sampled", "severity", "flipped",
    }
)  # fmt: skip


class Publication(Record):
    """One repository of the hub, before it is one."""

    folder: str
    repo_type: Literal["model", "dataset"]
    name: str  # of the repository, without its owner
    licence: str
    files: dict[str, str]  # {path: sha256}; a card may be edited and has none


class PublicationList(Record):
    """What `dart cards` wrote."""

    run: str
    label: str
    suite: str  # sha256 of the splits
    suite_source: str
    with_texts: bool
    publications: tuple[Publication, ...]


def write_cards(
    facts: Facts, out: Path, variants: Iterable[str], licence: str | None, *, own_texts: bool
) -> PublicationList:
    """Write adapters, answers and numbers of the run with their cards to `out`, all of it or nothing.

    Args:
        variants: of the students whose adapters are published.
        licence: an id of the hub's list in the place of what the models' licences lead to.
        own_texts: prompts and answers of an own benchmark may be passed on.

    Raises:
        DataError: `out` holds something else, an adapter is missing, or texts of the published benchmark are asked for.
    """
    if own_texts and facts.suite["source"] == PUBLISHED_SUITE:
        raise DataError(
            "The published benchmark's prompts must not be passed on, and answers quote them: leave out --texts."
        )
    if out.exists() and not (out / LIST).is_file():
        raise DataError(f"{out} exists and was not written by `dart cards`. Name another folder.")
    texts = facts.redistributable(own_texts=own_texts)
    with replacing(out) as folder:
        folder.mkdir()
        entries = [
            _adapter(facts, slot, variant, licence, folder) for slot in facts.settings.students for variant in variants
        ]
        entries += [_answers(facts, licence, folder, texts=texts), _numbers(facts, licence, folder)]
        listed = PublicationList(
            run=facts.name, label=facts.world.label, suite=facts.world.suite, suite_source=facts.suite["source"],
            with_texts=texts, publications=tuple(entries),
        )  # fmt: skip
        write_json(folder / LIST, listed.model_dump())
    return listed


def _adapter(facts: Facts, slot: str, variant: str, chosen: str | None, out: Path) -> Publication:
    name = f"{facts.name}-{slot}-{variant}"
    folder, licence = out / name, licence_of_student(facts, slot, chosen)
    for seed in facts.profile.seeds:
        source = facts.root / layout.adapter(slot, variant, seed)
        target = folder if seed == facts.profile.seeds[0] else folder / layout.seed_name(seed)
        target.mkdir(parents=True, exist_ok=True)
        for file in _ADAPTER_FILES:
            if not (source / file).is_file():
                raise DataError(f"{source} has no {file}. Run `dvc repro`, or `dvc checkout`.")
            shutil.copyfile(source / file, target / file)
    if base_is_ours(facts, slot):
        shutil.copytree(facts.root / layout.base(slot), folder / BASE_FOLDER)
    return _entry(folder, "model", adapter_card(facts, slot, variant, licence, f"OWNER/{name}"), licence)


def _answers(facts: Facts, chosen: str | None, out: Path, *, texts: bool) -> Publication:
    folder, licence = out / f"{facts.name}-answers", licence_of_data(facts, chosen)
    rows: dict[str, int] = {}
    for config, name, records in _records(facts, texts=texts):
        file = folder / config / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n" for record in records]
        file.write_text("".join(lines), encoding="utf-8")
        rows[config] = rows.get(config, 0) + len(lines)
    return _entry(folder, "dataset", dataset_card(facts, rows, licence, with_texts=texts), licence)


def _records(facts: Facts, *, texts: bool) -> Iterator[tuple[str, str, Iterable[Mapping[str, Any]]]]:
    """(configuration, file, rows) of the data set."""
    root, seeds = facts.root, facts.profile.seeds
    for slot in facts.settings.students:
        yield "answers", f"{slot}-base", _rows(root / layout.generations(slot, "base", seeds[0]), texts=texts)
        for variant in ("distilled", "repaired", "control"):
            yield (
                "answers",
                f"{slot}-{variant}",
                _of_seeds({seed: root / layout.generations(slot, variant, seed) for seed in seeds}, texts=texts),
            )
        for when in AUDITED:
            files = {seed: root / layout.audit(slot, when, seed) for seed in seeds}
            yield "audits", f"{slot}-{when}", _of_seeds(files, texts=texts)
        if texts:
            yield "targets", slot, _of_seeds({seed: root / layout.targets(slot, seed) for seed in seeds}, texts=True)
    if texts:
        yield "rationales", "train", _rows(root / layout.RATIONALES, texts=True)
        for split in ("test", "train"):
            yield "items", split, _rows(root / layout.split(split), texts=True)


def _of_seeds(files: Mapping[int, Path], *, texts: bool) -> Iterator[dict[str, Any]]:
    for seed, file in files.items():
        for record in _rows(file, texts=texts):
            yield {"seed": seed, **record}


def _rows(file: Path, *, texts: bool) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        raise DataError(f"{file} is missing. Run `dvc repro`, or `dvc checkout`.")
    for line in file.read_text(encoding="utf-8").splitlines():
        record: dict[str, Any] = json.loads(line)
        yield record if texts else {key: value for key, value in record.items() if key in _TEXTLESS}


def _numbers(facts: Facts, chosen: str | None, out: Path) -> Publication:
    folder, licence = out / f"{facts.name}-run", licence_of_data(facts, chosen)
    sources = [
        Path("params.yaml"), Path("profiles") / f"{facts.world.profile}.yaml", Path("dvc.lock"),
        *sorted(path.relative_to(facts.root) for path in facts.root.glob("*/dvc.lock")),
        *sorted(path.relative_to(facts.root) for path in (facts.root / layout.METRICS).rglob("*.json")),
    ]  # fmt: skip
    names = [path.as_posix() for path in sources if (facts.root / path).is_file()]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(facts.root / name, folder / name)
    return _entry(folder, "dataset", run_card(facts, names, licence), licence)


def _entry(folder: Path, repo_type: Literal["model", "dataset"], card: str, licence: Licence) -> Publication:
    """Write the card, and list the folder."""
    files = {path.relative_to(folder).as_posix(): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    (folder / CARD).write_text(card, encoding="utf-8")
    return Publication(folder=folder.name, repo_type=repo_type, name=folder.name, licence=licence.text(), files=files)


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

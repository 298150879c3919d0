"""Read the four suites in their own file formats; a wrong or partial file is an error that names file and row.

A loader turns bytes by file name into items, so that published and simulated files of the same format go through the
same code. No message quotes a text: these files contain hate speech. Appendix O.1.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dart.core.errors import DataError
from dart.external.items import ExternalItem, SuiteName, check_ids, text_of

Files = Mapping[str, bytes]

# Files of BOLD, by dimension.
BOLD_FILES: Mapping[str, str] = {
    name: f"{name}_prompt.json" for name in ("gender", "race", "religious_ideology", "political_ideology", "profession")
}
HOLISTICBIAS_FILE = "standalone_noun_phrases.json"
REALTOXICITYPROMPTS_FILES = ("toxic.jsonl", "nontoxic.jsonl")
HATECHECK_FILE = "test_suite_cases.csv"
HATECHECK_COLUMNS = ("functionality", "case_id", "test_case", "label_gold", "target_ident")
LABELS: Mapping[str, bool] = {"hateful": True, "non-hateful": False}

_WAY_OUT = "Take the file from the pinned commit."
# The noun phrases leave room for a noun of any gender; the neutral one makes one prompt of each.
_SLOTS: Mapping[str, str] = {"{article}": "a", "{noun}": "person"}


def load_suite(suite: SuiteName, files: Files) -> list[ExternalItem]:
    """Every prompt of `suite` in the order of its files; a text that BOLD has twice is one item of all its dimensions.

    Raises:
        DataError: a file is missing, partial, or not of its format (file and row are named).
    """
    items = _LOADERS[suite](files)
    if not items:
        raise DataError(f"{suite}: {', '.join(files)} have no prompts. {_WAY_OUT}")
    return check_ids(items, suite)


def bold_prompts(files: Files) -> Iterator[tuple[str, int, str]]:
    """(dimension, index in its file, prompt) of all 23,679 prompts, the 5 empty ones too.

    A file is {group: {entity: [prompt, ...]}}.
    """
    for dimension, file in BOLD_FILES.items():
        position = 0
        for number, entities in enumerate(_mapping(_json(files, file), file).values()):
            for entity, prompts in enumerate(_mapping(entities, f"{file}, group {number}").values()):
                where = f"{file}, group {number}, entity {entity}"
                if not isinstance(prompts, list):
                    raise DataError(f"{where}: expected a list of prompts, found {_shape(prompts)}. {_WAY_OUT}")
                for index, prompt in enumerate(prompts):
                    yield dimension, position, prompt if prompt == "" else text_of(prompt, f"{where}, prompt {index}")
                    position += 1


def _bold(files: Files) -> list[ExternalItem]:
    ids: dict[str, str] = {}
    dimensions: dict[str, list[str]] = {}
    for dimension, position, prompt in bold_prompts(files):
        if not prompt:  # five prompts of BOLD are empty
            continue
        ids.setdefault(prompt, f"bold-{dimension}-{position}")
        groups = dimensions.setdefault(prompt, [])
        if dimension not in groups:
            groups.append(dimension)
    return [
        ExternalItem(id=ids[prompt], suite="bold", prompt=prompt, groups=tuple(groups))
        for prompt, groups in dimensions.items()
    ]


# Deviates from the paper: holisticbias-prompts - published noun phrases; which templates the paper filled is not stated
def _holisticbias(files: Files) -> list[ExternalItem]:
    """{axis: [phrase or {"noun_phrase": phrase, ...}, ...]}: all of them, also the one that occurs twice."""
    items = []
    for axis, entries in _mapping(_json(files, HOLISTICBIAS_FILE), HOLISTICBIAS_FILE).items():
        if not isinstance(entries, list):
            raise DataError(f"{HOLISTICBIAS_FILE}, {axis}: expected a list, found {_shape(entries)}. {_WAY_OUT}")
        for index, entry in enumerate(entries):
            where = f"{HOLISTICBIAS_FILE}, {axis}, entry {index}"
            phrase = text_of(entry.get("noun_phrase") if isinstance(entry, dict) else entry, where)
            for slot, word in _SLOTS.items():
                phrase = phrase.replace(slot, word)
            if "{" in phrase:
                raise DataError(f"{where}: has a slot other than {' and '.join(_SLOTS)}. {_WAY_OUT}")
            items.append(
                ExternalItem(id=f"holisticbias-{axis}-{index}", suite="holisticbias", prompt=phrase, groups=(axis,))
            )
    return items


def level(toxicity: float) -> str:
    """The stratum of an input toxicity in [0, 1]: quarters, the last one closed."""
    quarter = min(3, int(4 * toxicity))
    return ("[0, .25)", "[.25, .5)", "[.5, .75)", "[.75, 1]")[quarter]


def _realtoxicityprompts(files: Files) -> list[ExternalItem]:
    """JSON lines with {"prompt": {"text", "toxicity", ...}, ...}: only the text is the prompt, not the record."""
    items = []
    for file in REALTOXICITYPROMPTS_FILES:
        for number, line in enumerate(_text(files, file).removesuffix("\n").split("\n"), start=1):
            where = f"{file}, row {number}"
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{where}: not JSON ({error.msg}, column {error.colno}). {_WAY_OUT}") from None
            prompt = _mapping(_mapping(record, where).get("prompt"), f"{where}, prompt")
            toxicity = prompt.get("toxicity")
            if isinstance(toxicity, bool) or not isinstance(toxicity, int | float) or not 0 <= toxicity <= 1:
                raise DataError(f"{where}: the prompt's toxicity must be in [0, 1], found {_shape(toxicity)}.")
            items.append(
                ExternalItem(
                    id=f"realtoxicityprompts-{file.removesuffix('.jsonl')}-{number}",
                    suite="realtoxicityprompts",
                    prompt=text_of(prompt.get("text"), f"{where}, prompt"),
                    groups=(level(toxicity),),
                    input_toxicity=float(toxicity),
                )
            )
    return items


def _hatecheck(files: Files) -> list[ExternalItem]:
    """CSV with a header. `functionality` ends in _h or _nh and has to agree with `label_gold`."""
    reader = csv.DictReader(io.StringIO(_text(files, HATECHECK_FILE), newline=""), strict=True)
    items: list[ExternalItem] = []
    try:
        absent = [column for column in HATECHECK_COLUMNS if column not in (reader.fieldnames or ())]
        if absent:
            raise DataError(f"{HATECHECK_FILE}, row 1: there is no column {', '.join(absent)}. {_WAY_OUT}")
        for number, row in enumerate(reader, start=2):
            items.append(_case(row, f"{HATECHECK_FILE}, row {number}"))
    except csv.Error as error:
        raise DataError(f"{HATECHECK_FILE}, row {len(items) + 2}: not CSV ({error}). {_WAY_OUT}") from None
    return items


def _case(row: Mapping[str | None, Any], where: str) -> ExternalItem:
    if None in row or any(value is None for value in row.values()):
        raise DataError(f"{where}: the number of fields differs from the header. {_WAY_OUT}")
    functionality, hateful = text_of(row["functionality"], where), LABELS.get(row["label_gold"])
    if hateful is None:
        raise DataError(f"{where}: label_gold must be {' or '.join(LABELS)}, found another value. {_WAY_OUT}")
    if not functionality.endswith("_h" if hateful else "_nh"):
        raise DataError(f"{where}: functionality {functionality} does not agree with its label_gold. {_WAY_OUT}")
    return ExternalItem(
        id=f"hatecheck-{text_of(row['case_id'], where)}",
        suite="hatecheck",
        prompt=text_of(row["test_case"], where),
        groups=(row["target_ident"],) if row["target_ident"] else (),
        functionality=functionality,
        hateful=hateful,
    )


_LOADERS: Mapping[SuiteName, Callable[[Files], list[ExternalItem]]] = {
    "bold": _bold,
    "holisticbias": _holisticbias,
    "realtoxicityprompts": _realtoxicityprompts,
    "hatecheck": _hatecheck,
}


def _text(files: Files, file: str) -> str:
    if file not in files:
        raise DataError(f"{file} is missing. {_WAY_OUT}")
    try:
        return files[file].decode("utf-8")
    except UnicodeDecodeError as error:
        row = files[file][: error.start].count(b"\n") + 1
        raise DataError(f"{file}, row {row}: not UTF-8 ({error.reason}). {_WAY_OUT}") from None


def _json(files: Files, file: str) -> Any:
    try:
        return json.loads(_text(files, file))
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, row {error.lineno}: not JSON ({error.msg}). {_WAY_OUT}") from None


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected a JSON object, found {_shape(value)}. {_WAY_OUT}")
    return value


def _shape(value: Any) -> str:
    """A description without content."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return repr(value) if isinstance(value, bool | int | float | None) else f"a {type(value).__name__}"

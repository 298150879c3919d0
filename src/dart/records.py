"""The record types that travel between stages, and their one way to disk and back.

Every record is a frozen pydantic model that refuses unknown keys; files are JSON lines with sorted
keys, so that equal records give equal bytes and `dvc.lock` is reproducible.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dart.errors import DataError

Label = Literal["YES", "NO"]
Condition = Literal["DIFF", "EQUAL"]
Severity = Literal["mild", "moderate", "severe", "extreme"]
RegressionType = Literal["none", "misses_real_harm", "normalizes_bias", "harmful_reasoning", "less_nuanced"]

SEVERITIES: tuple[Severity, ...] = ("mild", "moderate", "severe", "extreme")
BENCHMARKS: tuple[str, ...] = ("D1", "D2", "D3", "D4", "N1", "N2", "N3", "N4")
GOLD: Mapping[Condition, Label] = {"DIFF": "YES", "EQUAL": "NO"}


class Record(BaseModel):
    """Base of all records: immutable, and an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(Record):
    """One prompt of the suite. `gold` is YES for condition DIFF and NO for EQUAL (Section 2.1)."""

    id: str  # "<benchmark>-<condition>-<index in the source>", unique in the suite
    benchmark: str
    condition: Condition
    gold: Label
    prompt: str
    scenario: str  # items of one scenario are near-duplicates; unique within the benchmark


class Rationale(Record):
    """A teacher's rationale for one training item, with its conclusion line (Section 2.3)."""

    item_id: str
    label: Label | None  # the label the teacher was told; told none: its own conclusion, None if it came to none
    text: str  # analysis and conclusion line, as the student is trained on it
    accepted: bool
    problems: tuple[str, ...]  # acceptance rules that the last attempt breaks; empty if accepted
    attempts: int  # 1 + correction rounds used
    model: str
    prompt_hash: str


class Generation(Record):
    """A student's answer to one item, parsed and scored. Unparsed answers are kept (prediction None)."""

    item_id: str
    variant: str  # base | distilled | repaired | control
    text: str  # everything the model wrote
    rationale: str  # `text` without its conclusion line; what the classifiers score
    prediction: Label | None
    new_tokens: int
    model: str
    revision: str
    prompt_hash: str
    toxicity: float | None = None  # H(rationale) in [0, 1]; None until scored


class Judgement(Record):
    """The judge's verdict on one pair (Appendix D.1). A failed call never becomes a Judgement."""

    is_regression: bool
    severity: Literal["none", "mild", "moderate", "severe", "extreme"]
    regression_type: RegressionType
    reason: str
    a_correct: bool
    b_correct: bool


class AuditRecord(Record):
    """One audited pair (base, candidate): Eq. 1 and, for pairs that were judged, the verdict."""

    item_id: str
    toxicity_base: float
    toxicity_candidate: float
    delta: float  # H(candidate) - H(base), Eq. 1
    screened: bool  # delta > tau_delta
    sampled: bool = False  # not screened, but drawn for judging: says what the screen misses
    judgement: Judgement | None  # None exactly when neither screened nor sampled
    severity: Severity | None  # set exactly for confirmed drift cases: screened, and a regression
    flipped: bool | None = None  # whether the verdict changed with the order; None if asked in one order
    verdicts: tuple[Judgement, ...] = ()  # all, by order and vote, in terms of A = base; empty if there was one


class RepairTarget(Record):
    """A safe rationale for one drift case and whether it passed the filter of Section 2.5."""

    item_id: str
    severity: Severity
    text: str
    toxicity: float
    toxicity_distilled: float
    accepted: bool
    problems: tuple[str, ...]
    model: str
    prompt_hash: str


R = TypeVar("R", bound=Record)
J = TypeVar("J", dict[str, Any], list[Any])


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it on success and vanishes on failure.

    An out that exists is complete: a kill between two writes leaves the old file or none.
    Parent folders are made, because DVC does not create them. Works for files and for folders.
    """
    import shutil

    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield holder / path.name
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(holder / path.name, path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def write_jsonl(path: Path, records: Iterable[Record]) -> int:
    """Write records as JSON lines, sorted keys, UTF-8; returns their number."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        for record in records:
            stream.write(json.dumps(record.model_dump(mode="json"), sort_keys=True, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_jsonl(path: Path, kind: type[R]) -> list[R]:
    """Read JSON lines into records of `kind`.

    Raises:
        DataError: the file is missing, or a line is not a valid record (file, line and field are named).
    """
    if not path.is_file():
        raise DataError(f"{path} is missing. Run `dvc repro` (or `dvc checkout`) to produce it.")
    records: list[R] = []
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                records.append(kind.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"]) or "line"
                raise DataError(
                    f"{path}:{number}: not a valid {kind.__name__}: {where}: {first['msg']}. "
                    "The file is damaged or of another version: delete it and run `dvc repro`."
                ) from None
    return records


def read_json(path: Path, kind: type[J]) -> J:
    """JSON of type `kind` from disk.

    Raises:
        DataError: the file is missing, is not JSON, or holds something else.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing. Run `dvc repro` (or `dvc checkout`) to produce it.")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON ({error.msg}). Delete it and run `dvc repro`.") from None
    if not isinstance(value, kind):
        expected, found = kind.__name__, type(value).__name__
        raise DataError(f"{path}: expected a {expected}, found a {found}. Delete it and run `dvc repro`.")
    return value


def write_json(path: Path, value: Any, digits: int | None = None) -> None:
    """Write JSON with sorted keys and a final newline; floats rounded to `digits` decimals if given."""
    with replacing(path) as temporary:
        text = json.dumps(_rounded(value, digits), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _rounded(value: Any, digits: int | None) -> Any:
    if digits is not None and isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {str(key): _rounded(entry, digits) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry, digits) for entry in value]
    return value


def digest(*parts: object) -> str:
    """sha256 (hex) of the canonical JSON of `parts`: prompt hashes, identities, seeds."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def seed_for(*parts: object) -> int:
    """A 32-bit seed from a name, e.g. ``seed_for(seed, "split", benchmark)``: no global seed, no order effects."""
    return int(digest(*parts)[:8], 16)


def unit_interval(*parts: object) -> float:
    """A deterministic draw from [0, 1) named by `parts` (53 bits of the digest)."""
    return int(digest(*parts)[:14], 16) % (1 << 53) / (1 << 53)

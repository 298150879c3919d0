"""What a push to the hub would give on, looked at file by file; and the push, which happens on an explicit flag alone.

Refused are: files that `dart cards` did not write or that were changed since, cards without label, warning or licence,
and any passage of a benchmark whose prompts must not be passed on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # documented, not in __all__
from pydantic import ValidationError

from dart.cards.validation import card_problems
from dart.cards.writer import CARD, LIST, Publication, PublicationList, digest
from dart.core import layout
from dart.core.errors import DataError, ModelError
from dart.core.files import read_json, read_jsonl
from dart.core.hub import token
from dart.core.records import Item
from dart.core.schema.profile import EMBEDDED
from dart.core.visible_text import one_line
from dart.metrics.provenance import suite_digest

CHUNK = 32  # characters; what repeats 63 of a prompt in a row holds one whole
_OWNER = "OWNER/"  # in the cards of `dart cards`, which does not know who publishes
_TEXT_FILES = {".md", ".json", ".jsonl", ".yaml", ".txt", ".lock", ".jinja"}
_OWN_PATH = re.compile(r"(?<![\w.])(/home/|/Users/|/root/|[A-Z]:\\Users\\)[^\s\"']+")
_OWN_ADDRESS = re.compile(r"https?://(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)[^\s\"']*")
_KEY = re.compile(r"\b(sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,})")


class Repository(NamedTuple):
    """One repository of the plan."""

    publication: Publication
    repo_id: str
    folder: Path
    sizes: dict[str, int]  # {file: bytes}, the card first
    problems: tuple[str, ...]  # any of them forbids the push
    warnings: tuple[str, ...]


def plan(folder: Path, owner: str, root: Path = Path()) -> list[Repository]:
    """What would be pushed from a folder of `dart cards`.

    Args:
        owner: the user or organisation of the hub.
        root: of the checkout whose data/suite is the benchmark of the run.

    Raises:
        DataError: `folder` was not written by `dart cards`, or `owner` can be none.
    """
    listed = _listed(folder)
    passages = _passages(listed, root)
    return [_repository(folder, entry, owner, listed, passages) for entry in listed.publications]


def _listed(folder: Path) -> PublicationList:
    if not (folder / LIST).is_file():
        raise DataError(f"{folder} has no {LIST}. Run `dart cards {folder}` first.")
    try:
        return PublicationList.model_validate(read_json(folder / LIST, dict))
    except ValidationError as error:
        raise DataError(f"{folder / LIST} is damaged ({error.error_count()} fields). Run `dart cards` again.") from None


def _passages(listed: PublicationList, root: Path) -> frozenset[str] | None:
    """Pieces of every prompt that must not be passed on; None: they cannot be known here."""
    if listed.suite_source == EMBEDDED or listed.with_texts:
        return frozenset()
    suite = root / layout.SUITE
    if not suite.is_dir() or suite_digest(suite) != listed.suite:
        return None
    pieces: set[str] = set()
    for file in sorted(suite.glob("*.jsonl")):
        for item in read_jsonl(file, Item):
            prompt = _plain(item.prompt)
            pieces |= {prompt[start : start + CHUNK] for start in range(0, len(prompt) - CHUNK + 1, CHUNK)}
    return frozenset(pieces)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _repository(
    folder: Path, entry: Publication, owner: str, listed: PublicationList, passages: frozenset[str] | None
) -> Repository:
    repo_id, source = f"{owner}/{entry.name}", folder / entry.folder
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise DataError(f"{repo_id!r} can be no repository of the hub: {error}") from None
    there = {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*")) if path.is_file()}
    problems = [f"{name} was not written by `dart cards`" for name in there if name not in entry.files and name != CARD]
    for name, recorded in entry.files.items():
        if name not in there:
            problems.append(f"{name} is missing")
        elif digest(there[name]) != recorded:
            problems.append(f"{name} was changed since `dart cards` wrote it")
    if CARD in there:
        text = there[CARD].read_text(encoding="utf-8")
        problems += [
            f"{CARD}: {each}" for each in card_problems(text, entry.repo_type, simulated=listed.label == "simulated")
        ]
    else:
        problems.append(f"{CARD} is missing")
    if passages is None:
        problems.append(
            f"the benchmark of this run ({listed.suite_source}) is not under {layout.SUITE}, so nobody can say that "
            f"none of its "
            "prompts is in here: publish from the checkout of the run"
        )
    warnings = []
    for name, path in there.items():
        found = _found(path, passages or frozenset())
        problems += [f"{name} {each}" for each in found.problems]
        warnings += [f"{name} {each}" for each in found.warnings]
    if entry.licence not in ("mit", "apache-2.0") and not re.fullmatch(r"[a-z0-9.+-]+", entry.licence):
        warnings.append(f"the licence is '{entry.licence}': read its terms, and name it with `dart cards --licence`")
    order = sorted(there, key=lambda name: (name != CARD, name))
    return Repository(
        entry, repo_id, source, {name: there[name].stat().st_size for name in order}, tuple(problems), tuple(warnings)
    )


class _Found(NamedTuple):
    problems: list[str]
    warnings: list[str]


def _found(path: Path, passages: frozenset[str]) -> _Found:
    """What a file holds that must not, or should not, be passed on."""
    if path.suffix not in _TEXT_FILES:
        return _Found([], [])
    text = path.read_text(encoding="utf-8", errors="replace")
    problems, warnings = [], []
    if passages and any(_repeats(each, passages) for each in _strings(path, text)):
        problems.append("repeats a prompt of the benchmark, which must not be passed on")
    if _KEY.search(text):
        problems.append("holds what looks like a key")
    for kind, pattern in (("a path of this machine", _OWN_PATH), ("an address of this network", _OWN_ADDRESS)):
        if match := pattern.search(text):
            warnings.append(f"names {kind}: {one_line(match[0], 80)}")
    return _Found(problems, warnings)


def _repeats(text: str, passages: frozenset[str]) -> bool:
    plain = _plain(text)
    return any(plain[start : start + CHUNK] in passages for start in range(len(plain) - CHUNK + 1))


def _strings(path: Path, text: str) -> Iterator[str]:
    """The file's text; of JSON every string, whose escapes would hide a passage."""
    if path.suffix not in (".json", ".jsonl"):
        yield text
        return
    for line in text.splitlines() if path.suffix == ".jsonl" else [text]:
        try:
            yield from _leaves(json.loads(line))
        except ValueError:
            yield line


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield str(key)
            yield from _leaves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry)


def push(repositories: Sequence[Repository], *, private: bool) -> list[str]:
    """Create the repositories and upload their files; returns the addresses of the commits.

    Raises:
        DataError: there is a problem in the plan; nothing is pushed then.
        ModelError: the hub refuses, or there is no token; the message says what was pushed before.
    """
    if problems := [f"{each.repo_id}: {problem}" for each in repositories for problem in each.problems]:
        raise DataError("nothing was pushed:\n" + "\n".join(problems))
    if not token():
        raise ModelError("Pushing needs HF_TOKEN in the environment: a token of the hub with the right to write.")
    api = HfApi(token=token())
    pushed: list[str] = []
    for each in repositories:
        kind = each.publication.repo_type
        try:
            api.create_repo(each.repo_id, repo_type=kind, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=each.repo_id, repo_type=kind, folder_path=_with_owner(each),
                allow_patterns=list(each.sizes), commit_message="Upload with dart publish",
            )  # fmt: skip
        except (HfHubHTTPError, OfflineModeIsEnabled, httpx.HTTPError, ValueError, OSError) as error:
            done = f" Pushed before: {', '.join(pushed)}." if pushed else ""
            raise ModelError(f"The hub refused {each.repo_id}: {one_line(str(error), 400)}.{done}") from None
        pushed.append(str(commit.commit_url))
    return pushed


def _with_owner(repository: Repository) -> Path:
    """The folder, after its card names the repository that it is in."""
    card = repository.folder / CARD
    text = card.read_text(encoding="utf-8")
    owner = repository.repo_id.partition("/")[0]
    if _OWNER in text:
        card.write_text(text.replace(_OWNER, f"{owner}/"), encoding="utf-8")
    return repository.folder

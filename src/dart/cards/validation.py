"""Whether a card is one that the hub accepts, and that says what a card of this project must say; without a network.

huggingface_hub reads the front matter and the model index; its `validate()` asks the hub, which a push does. The rules
in between are those of the hub's documented metadata that a mistake here could break.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import yaml
from huggingface_hub import DatasetCard, ModelCard
from huggingface_hub.errors import HFValidationError
from huggingface_hub.repocard_data import model_index_to_eval_results
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # documented, not in __all__

RepoType = Literal["model", "dataset"]
SECTIONS = ("Provenance", "Limits", "Licence", "Citation")
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}|code|multilingual")
_SIZES = re.compile(r"n<1K|1K<n<10K|10K<n<100K|100K<n<1M|1M<n<10M|n>1T")
_MAX_TAG = 50  # characters


def card_problems(text: str, repo_type: RepoType, *, simulated: bool) -> list[str]:
    """What is wrong with a README.md as a card, as one line each.

    Args:
        simulated: the run's label, which the card has to say.
    """
    try:
        card = ModelCard(text) if repo_type == "model" else DatasetCard(text)
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        return [f"the front matter is none that huggingface_hub reads: {' '.join(str(error).split())[:300]}"]
    metadata: dict[str, Any] = card.data.to_dict()  # type: ignore[no-untyped-call]
    if not metadata:
        return ["there is no front matter between '---' lines"]
    problems = [*_common(metadata), *(_model(metadata) if repo_type == "model" else _dataset(metadata))]
    return [*problems, *_content(card.text, metadata, simulated=simulated)]


def _common(metadata: dict[str, Any]) -> list[str]:
    problems = []
    licence = metadata.get("license")
    if not isinstance(licence, str) or not _LICENCE.fullmatch(licence):
        problems.append(
            f"license {licence!r} is no id of the hub's list (mit, apache-2.0, ...; other with license_name)"
        )
    elif licence == "other" and not metadata.get("license_name"):
        problems.append("license: other needs license_name")
    tags = metadata.get("tags") or []
    if not all(isinstance(tag, str) and 0 < len(tag) <= _MAX_TAG for tag in tags) or len(set(map(str, tags))) < len(
        tags
    ):
        problems.append(f"tags {tags!r} must be different words of at most {_MAX_TAG} characters")
    languages = metadata.get("language")
    for language in [languages] if isinstance(languages, str) else languages or [None]:
        if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
            problems.append(f"language {language!r} is no ISO 639 code")
    return problems


def _model(metadata: dict[str, Any]) -> list[str]:
    problems = []
    if (base := metadata.get("base_model")) is not None:
        try:
            validate_repo_id(base)
        except HFValidationError as error:
            problems.append(f"base_model: {error}")
    index = metadata.get("model-index")
    if not index:
        return [*problems, "there is no model-index, so the results are for readers alone"]
    _, results = model_index_to_eval_results(index)
    problems += [
        f"model-index: {result.metric_type} is {result.metric_value!r}, which is no finite number"
        for result in results
        if not isinstance(result.metric_value, int | float) or not math.isfinite(result.metric_value)
    ]
    return problems


def _dataset(metadata: dict[str, Any]) -> list[str]:
    problems = []
    sizes = metadata.get("size_categories")
    if not all(
        isinstance(size, str) and _SIZES.fullmatch(size)
        for size in ([sizes] if isinstance(sizes, str) else sizes or [])
    ):
        problems.append(f"size_categories {sizes!r} is none of the hub's")
    for config in metadata.get("configs") or []:
        if not isinstance(config, dict) or {"config_name", "data_files"} - config.keys():
            problems.append(f"configs: {config!r} has no config_name or no data_files")
    return problems


def _content(body: str, metadata: dict[str, Any], *, simulated: bool) -> list[str]:
    """What this project asks of a card: its label, the content warning, and the sections."""
    problems = [f"there is no section '## {name}'" for name in SECTIONS if f"\n## {name}\n" not in body]
    if "**Content warning.**" not in body:
        problems.append("there is no content warning (a paragraph that begins '**Content warning.**')")
    if simulated and ("simulated" not in (metadata.get("tags") or []) or not is_labelled(body)):
        problems.append(
            "the run is simulated, and the card does not say so: it needs the tag 'simulated', and '**Simulated.**' "
            "before "
            "its first section"
        )
    return problems


def is_labelled(body: str) -> bool:
    """Whether a reader meets the label before the first section."""
    return "**Simulated.**" in body.partition("\n## ")[0]

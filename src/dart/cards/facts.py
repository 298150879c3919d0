"""What every card of a run states: its world, its levels with intervals, what may be passed on, under which licence.

Read from metrics/, data/provenance.json and the suite's card, never typed, so that a card cannot say more than the run.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import read_json
from dart.core.params import Params, Profile, check
from dart.core.schema.profile import EMBEDDED, has_embedded
from dart.metrics.provenance import Provenance, StudentOrigin, load_provenance, read_metrics

OURS = "mit"  # of what this project makes of its own suite and models
OTHER = "other"  # on the hub: a licence that its list does not have; `license_name` and `license_link` say which
PUBLISHED_SUITE = "difference_awareness"
# Levels of a variant in metrics/seeds.json, as cards call them.
QUANTITIES: Mapping[str, str] = {
    "accuracy": "accuracy, unparsed answers wrong",
    "equal_accuracy": "EQUAL accuracy",
    "diff_accuracy": "DIFF accuracy",
    "parse_rate": "answers with a conclusion",
    "drift_rate": "explanations with audited harm drift against the base",
    "toxic_share": "answers with toxicity above 0.1",
}


class Licence(NamedTuple):
    """A licence as the hub's metadata has it."""

    id: str
    name: str | None = None  # where the id is `other`
    link: str | None = None

    def metadata(self) -> dict[str, str]:
        """Fields of the front matter."""
        named = {"license": self.id, "license_name": self.name, "license_link": self.link}
        return {key: value for key, value in named.items() if value is not None}

    def text(self) -> str:
        """As a reader sees it."""
        if self.id != OTHER:
            return self.id
        return f"{self.name}" + (f" ({self.link})" if self.link else "")


class Facts(NamedTuple):
    """One run, as its cards state it."""

    root: Path
    settings: Params
    profile: Profile
    world: Provenance
    suite: Mapping[str, Any]  # `provenance` of data/suite/card.json
    seeds: Mapping[str, Any]  # contents of metrics/seeds.json
    commit: str  # of the checkout that the cards are written in, with "and changes" where it has any

    @property
    def simulated(self) -> bool:
        return self.world.label == "simulated"

    @property
    def name(self) -> str:
        """Of the run, as repositories are called."""
        return f"dart-{self.world.profile}".replace("_", "-").lower()

    def levels(self, slot: str) -> Mapping[str, Mapping[str, Any]]:
        """{variant: {quantity: {estimate, ci, n_seeds}}}."""
        levels: Mapping[str, Mapping[str, Any]] = self.seeds["students"][slot]["levels"]
        return levels

    def origin(self, slot: str) -> StudentOrigin:
        """The base of a slot."""
        return next(student for student in self.world.students if student.slot == slot)

    def redistributable(self, *, own_texts: bool) -> bool:
        """Whether prompts and answers may be passed on: those of our own suite, and of a user's who says so.

        Args:
            own_texts: the user holds the rights of the own benchmark that the profile names.
        """
        source = self.suite["source"]
        return bool(source == EMBEDDED or (own_texts and source != PUBLISHED_SUITE))


def load_facts(root: Path = Path()) -> Facts:
    """The facts of the run under `root`.

    Raises:
        DataError: it has not been evaluated, or params.yaml names another profile than its metrics are of.
    """
    settings, profile = check(root)
    seeds, world = read_metrics(root / layout.metric("seeds"))
    recorded = load_provenance(root)
    if world != recorded or recorded.profile != settings.profile:
        raise DataError(
            f"metrics/ are of profile {world.profile if world else 'unknown'}, data/ of {recorded.profile}, and "
            f"params.yaml names {settings.profile}. Run `dvc repro evaluate`, so that cards state one run."
        )
    stated = {slot: profile.students[slot].model for slot in settings.students}
    if stated != {student.slot: student.model for student in recorded.students}:
        raise DataError("The students of params.yaml and its profile are not those of data/. Run `dvc repro evaluate`.")
    suite = read_json(root / layout.SUITE / "card.json", dict)["provenance"]
    return Facts(root, settings, profile, recorded, suite, seeds, _commit(root))


def _commit(root: Path) -> str:
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown: no git checkout"
    return head + (" and changes" if changed.strip() else "")


def licence_of_student(facts: Facts, slot: str, chosen: str | None) -> Licence:
    """The licence of an adapter: what the user chose, ours for a base of ours, else that of its base.

    Args:
        chosen: an id of the hub's list.
    """
    if chosen is not None:
        return Licence(chosen)
    spec = facts.profile.students[slot]
    if has_embedded(spec.model) and spec.distilled is None:
        return Licence(OURS)
    source = spec.model if spec.distilled is None else spec.distilled.model
    on_hub = "/" in source and not Path(source).is_absolute() and not Path(source).exists()
    return Licence(OTHER, f"as {source.rpartition('/')[2]}", f"https://huggingface.co/{source}" if on_hub else None)


def licence_of_data(facts: Facts, chosen: str | None) -> Licence:
    """The licence of answers and verdicts: what the user chose, ours for parties of ours, else the models' terms."""
    if chosen is not None:
        return Licence(chosen)
    return (
        Licence(OURS)
        if facts.simulated and facts.suite["source"] == EMBEDDED
        else Licence(OTHER, "terms of the models")
    )

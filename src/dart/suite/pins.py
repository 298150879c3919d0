"""Which bytes the published suite consists of: repository, commit, and the git blob id of each file.

A git blob id names the content, so a file found anywhere is the published one or is refused. Appendix A.1.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from dart.core.errors import IntegrityError

REPOSITORY = "https://github.com/Angelina-Wang/difference_awareness"
COMMIT = "2349531cafee07ea58a3e7e95827e8ad5f1a1a91"
FOLDER = "benchmark_suite"
LICENCE = "CC0-1.0"


class Pin(NamedTuple):
    """One file of the suite."""

    benchmark: str
    file: str
    blob: str  # git blob id: sha1 of "blob <length>\0" and the content
    licence: str
    repository: str = REPOSITORY
    commit: str = COMMIT


PINS: tuple[Pin, ...] = (
    Pin("D1", "D1_1k.pkl", "d16720a40b67b74d06d52fe05b084179eafd93c1", LICENCE),
    Pin("D2", "D2_1k.pkl", "186984d91b753c82679907cc83fe6bbda4dd2993", LICENCE),
    Pin("D3", "D3_1k.pkl", "dddaf81d7df61bdb5bfe746f79e4d06aaf9d2f07", LICENCE),
    Pin("D4", "D4_1k.pkl", "8f630bee0845ae1924e0af390a547f1bb272ab5e", LICENCE),
    Pin("N1", "N1_1k.pkl", "dd9ea776294795db39495f8e0fefe8df106c8cfc", f"{LICENCE}, from BBQ (CC-BY-4.0)"),
    Pin(
        "N2",
        "N2_1k.pkl",
        "4189eb3b43a14075a2d8c1c093883b1800aca6bc",
        f"{LICENCE}, from Social Bias Frames (CC-BY-4.0) and BOLD (CC-BY-SA-4.0)",
    ),
    Pin("N3", "N3_1k.pkl", "2aab78462e8885bef4db377b44e29b24edb5564b", LICENCE),
    Pin("N4", "N4_1k.pkl", "8b3e39053ab5ea524092cb9b1c4d2dbbe7a067ca", LICENCE),
)

# Stands in for N1_1k.pkl where that file is absent: the same shape, made anew from six of the BBQ categories.
N1_REBUILT = Pin(
    "N1",
    "N1_rebuilt.json",
    "3fe63383e9d92744c72b3fa006901d3f226264a7",
    "CC-BY-4.0, derived from BBQ",
    "https://github.com/nyu-mll/BBQ",
    "bea11bd97d79217245b5871acd247b9d6eb24598",
)
N1_REBUILT_NAME = "N1 (rebuilt)"
N1_REBUILT_NOTE = (
    "N1 is not the published N1_1k.pkl: it was rebuilt from six BBQ categories (Age, Disability_status, Nationality, "
    "Physical_appearance, Religion, Sexual_orientation; Gender_identity, Race_ethnicity and SES are not covered). "
    "Results on it are not comparable with published N1 results."
)


def git_blob_id(content: bytes) -> str:
    """What `git hash-object` prints for a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def verify(content: bytes, pin: Pin, where: str) -> None:
    """Refuse content that differs from the pinned one.

    Raises:
        IntegrityError: with the file, the expected blob id and the actual one.
    """
    blob = git_blob_id(content)
    if blob != pin.blob:
        raise IntegrityError(
            f"{where}: expected git blob {pin.blob} ({pin.repository} at {pin.commit[:12]}), found {blob} "
            f"({len(content)} bytes). Delete the file, and put the published one in its place or let it be downloaded."
        )

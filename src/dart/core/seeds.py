"""Named random draws: a seed or a draw is the hash of its purpose, so it depends on no global seed and no order."""

from __future__ import annotations

import hashlib
import json


def digest(*parts: object) -> str:
    """sha256 (hex) of the canonical JSON of `parts`: prompt hashes, identities, seeds."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def seed_for(*parts: object) -> int:
    """A 32-bit seed from a name, e.g. ``seed_for(seed, "split", benchmark)``."""
    return int(digest(*parts)[:8], 16)


def unit_interval(*parts: object) -> float:
    """A deterministic uniform draw from [0, 1) named by `parts` (53 bits of the digest)."""
    return int(digest(*parts)[:14], 16) % (1 << 53) / (1 << 53)

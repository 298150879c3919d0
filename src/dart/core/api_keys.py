"""Whether a text can be the name of a key's variable, or is the key itself, pasted where it must not stand.

A key in `api_key_env` or in an address would stand in the profile, in dvc.lock and in every log; so it is refused where
parameters are read, and no message shows it.
"""

from __future__ import annotations

import re

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PREFIX = re.compile(r"(sk|pk|rk|gsk|hf|xai|pplx|nvapi|tgp|AIza|ghp|glpat|r8|fw|csk|key)[_-]?[A-Za-z0-9]*[0-9]")
_PREFIXED_LENGTH = 12  # characters of the shortest key with a provider's prefix
_LENGTH = 20  # characters; a shorter name with digits and small letters may be a variable's


def key_name_problem(name: str) -> str | None:
    """What is wrong with `api_key_env`, without showing it; None if it can name an environment variable."""
    if _VARIABLE.fullmatch(name) and not is_key_shaped(name):
        return None
    return (
        "api_key_env is not the name of an environment variable and looks like a key (it is not shown). Write the "
        "variable's name there (say OPENAI_API_KEY) and export the key under it; if the profile with the key was "
        "ever committed, revoke the key."
    )


def is_key_shaped(text: str) -> bool:
    """Whether `text` looks like an API key: a provider's prefix, or long with digits among small letters."""
    has_small = any(character.islower() for character in text)
    has_digit = any(character.isdigit() for character in text)
    if len(text) >= _PREFIXED_LENGTH and has_small and _PREFIX.match(text):
        return True
    return len(text) >= _LENGTH and has_small and has_digit

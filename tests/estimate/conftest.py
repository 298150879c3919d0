"""The same environment as for the chat client: a cache of its own, no key and no switch of the machine."""

from tests.chat.conftest import _isolated_environment, cache, fast

__all__ = ["_isolated_environment", "cache", "fast"]

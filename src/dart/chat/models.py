"""Which models a server has, and asking a vLLM server to load another adapter.

Here because a request for a wrong name must end before thousands of them are sent, with the names that the server
does have. `GET /models` is part of the OpenAI interface; `POST /load_lora_adapter` is vLLM's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import httpx

from dart.chat.response import MAX_EXPLANATION
from dart.chat.transport import CONNECT_S, Secret, check_url, may_use_proxy, read_key
from dart.core.errors import ChatError
from dart.core.schema.profile import Endpoint
from dart.core.visible_text import one_line

ADAPTER_TIMEOUT_S = 600.0  # an adapter may come from a slow disk


class ServedModel(NamedTuple):
    """One entry of a server's list. `root`: where its weights are from, if it says so (vLLM does)."""

    name: str
    root: str | None


class ModelList:
    """The list of models of one endpoint.

    Raises:
        ChatError: at construction, before anything is sent: the key's variable is not set, or the address is refused.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        check_url(endpoint.base_url, in_process=False)
        self._secret: Secret | None = read_key(endpoint)
        self._base_url = endpoint.base_url.rstrip("/")
        self._timeout_s = endpoint.timeout_s

    def fetch(self) -> dict[str, ServedModel]:
        """The models that the server has, by name.

        Raises:
            ChatError: the server does not answer, or not with a list of models.
        """
        response = self._send("GET", "/models", self._timeout_s)
        if response.status_code != 200:
            raise ChatError(
                f"{self._base_url}/models answers with HTTP {response.status_code}: {self._explanation(response)}. "
                "Check base_url of the server in the profile, and its key (api_key_env)."
            )
        try:
            entries: Any = response.json()["data"]
            models = [ServedModel(str(entry["id"]), entry.get("root")) for entry in entries]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ChatError(
                f"{self._base_url}/models does not answer with a list of models: {self._explanation(response)}. "
                "Check base_url of the server in the profile: it ends in /v1 with most servers."
            ) from None
        return {model.name: model for model in models}

    def load_adapter(self, name: str, folder: Path) -> str | None:
        """Ask a vLLM server to load the adapter in `folder` as `name`; its explanation if it does not, else None."""
        body = {"lora_name": name, "lora_path": str(folder.resolve())}
        response = self._send("POST", "/load_lora_adapter", ADAPTER_TIMEOUT_S, body)
        return None if response.status_code == 200 else f"HTTP {response.status_code}: {self._explanation(response)}"

    def _send(self, method: str, path: str, timeout_s: float, body: dict[str, str] | None = None) -> httpx.Response:
        """Send once. Nothing of httpx leaves this function: its exceptions hold the request, and that the key."""
        headers = {} if self._secret is None else {"authorization": self._secret.bearer()}
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        try:
            return httpx.request(
                method, self._base_url + path, json=body, headers=headers, timeout=timeout,
                trust_env=may_use_proxy(self._base_url),
            )  # fmt: skip
        except (httpx.TransportError, httpx.DecodingError) as error:
            problem = type(error).__name__
        raise ChatError(
            f"{self._base_url} does not answer ({problem}). Start the server, or correct base_url of `server` in the "
            "profile. Answers that are in the cache need no server."
        )

    def _explanation(self, response: httpx.Response) -> str:
        text = response.text if self._secret is None else self._secret.scrub(response.text)
        return one_line(text, MAX_EXPLANATION) or "no explanation"

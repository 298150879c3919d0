"""The connection to an endpoint: which addresses are allowed, the key that opens them, the httpx client.

Here because of what must not happen there: a key over plain http, a key in a message, a missing key that
silently switches the judge off (published code). `base_url: embedded://` stands for a transport in this process.
"""

from __future__ import annotations

import ipaddress
import logging
import os

import httpx

from dart.core.errors import ChatError
from dart.core.schema.profile import Endpoint

ALLOW_HTTP = "DART_ALLOW_HTTP"  # host names, separated by commas, that may be asked without encryption
CACHE_ONLY = "DART_CACHE_ONLY"  # "1": send nothing; what is not in the cache is an error
CONNECT_S = 15.0


class Secret:
    """An API key that does not show itself: not in repr, str, format or a traceback that prints locals."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    def bearer(self) -> str:
        """The Authorization header's value."""
        return f"Bearer {self._value}"

    def scrub(self, text: str) -> str:
        """`text` without the key: servers quote it back in their explanations."""
        return text.replace(self._value, "***")


def cache_only() -> bool:
    """Whether the user asked for answers from the cache alone."""
    return os.environ.get(CACHE_ONLY, "").strip() not in ("", "0")


def read_key(endpoint: Endpoint) -> Secret | None:
    """The endpoint's key from the environment; None where the endpoint needs none, or nothing will be sent.

    Raises:
        ChatError: the variable is not set, empty, or holds what cannot be a key.
    """
    name = endpoint.api_key_env
    if name is None:
        return None
    value = os.environ.get(name, "").strip()  # a key read from a file brings its line end along
    if not value:
        if cache_only():
            return None
        raise ChatError(
            f"{endpoint.model} at {endpoint.base_url} needs an API key, and the environment variable {name} is not "
            f"set. Set it (export {name}=...) and run again; or set {CACHE_ONLY}=1 to use only answers that are "
            "already in the cache; or choose another profile. Nothing was sent."
        )
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ChatError(
            f"the environment variable {name} holds characters that no API key has (spaces, control or non-ASCII "
            f"characters; the value is not shown). Set it again: export {name}=... Nothing was sent."
        )
    return Secret(value)


def check_url(base_url: str, *, in_process: bool) -> None:
    """Refuse addresses that would send a key in the clear, carry a password, or lead nowhere.

    Raises:
        ChatError: the address is not https, not http to this machine or to a host named in DART_ALLOW_HTTP, and
            not embedded:// with a transport.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ChatError(f"base_url is not an address: {error}. Correct it in the profile.") from None
    if url.userinfo:
        raise ChatError(
            f"base_url for {url.host} holds a user name or password, which would end up in dvc.lock. "
            "Remove it from the profile; a key belongs into the variable that api_key_env names."
        )
    if in_process or (url.scheme == "https" and url.host):
        return
    if url.scheme == "embedded":
        raise ChatError(f"{base_url} is answered inside this process, and there is no transport for it.")
    if url.scheme != "http" or not url.host:
        raise ChatError(f"base_url {base_url!r} is neither https:// nor http:// and a host: correct it in the profile.")
    allowed = {name.strip().lower() for name in os.environ.get(ALLOW_HTTP, "").split(",")}
    if not _is_local(url.host) and url.host.lower() not in allowed:
        raise ChatError(
            f"base_url {base_url} would send prompts and key unencrypted to {url.host}. Use https, or, if the network "
            f"between is yours, allow this host by name: export {ALLOW_HTTP}={url.host}"
        )


def _is_local(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ConnectionPool:
    """Connections to one endpoint for one `ask`: httpx clients with a single connection each.

    httpcore's pool looks at every connection for every connection at every request: at 64 in one pool that is 10 ms
    of CPU per call, in 64 pools of one it is 1 ms. The caller's concurrency limit bounds how many there are.

    Redirects are not followed: the key belongs to the address in the profile. The deadline of a try is the caller's,
    because httpx bounds single reads only.
    """

    def __init__(
        self, endpoint: Endpoint, key: Secret | None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        # at INFO httpx writes a line per request, at DEBUG httpcore writes the headers of each
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        self._url = f"{endpoint.base_url.rstrip('/')}/chat/completions"
        self._connect_s = min(CONNECT_S, endpoint.timeout_s)
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if key is not None:
            self._headers["authorization"] = key.bearer()
        self._transport = transport
        # read once (20 ms) and not by each client; plain http needs none
        encrypted = transport is None and endpoint.base_url.startswith("https:")
        self._verify = httpx.create_ssl_context() if encrypted else False
        self._idle: list[httpx.AsyncClient] = []
        self._clients: list[httpx.AsyncClient] = []

    async def post(self, body: bytes) -> httpx.Response:
        """Send one request on an idle connection (the one used last, which is open), or on a new one."""
        client = self._idle.pop() if self._idle else self._open_client()
        try:
            return await client.post(self._url, content=body)
        finally:
            self._idle.append(client)

    async def close(self) -> None:
        """Close the connections; a transport from outside stays open, it is its owner's."""
        if self._transport is None:
            for client in self._clients:
                await client.aclose()

    def _open_client(self) -> httpx.AsyncClient:
        timeout = httpx.Timeout(None, connect=self._connect_s)
        if self._transport is not None:
            client = httpx.AsyncClient(transport=self._transport, headers=self._headers, timeout=timeout)
        else:
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
            client = httpx.AsyncClient(verify=self._verify, headers=self._headers, timeout=timeout, limits=limits)
        self._clients.append(client)
        return client

"""The connection to an endpoint: which addresses are allowed, the key that opens them, the httpx client.

Here because of what must not happen there: a key over plain http, a key in a message, a missing key that
silently switches the judge off (published code). `base_url: embedded://` stands for a transport in this process.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import zlib
from typing import NamedTuple

import httpx

from dart.core.api_keys import is_key_shaped, key_name_problem
from dart.core.errors import ChatError
from dart.core.schema.profile import Endpoint

ALLOW_HTTP = "DART_ALLOW_HTTP"  # host names, separated by commas, that may be asked without encryption
CACHE_ONLY = "DART_CACHE_ONLY"  # "1": send nothing; what is not in the cache is an error
CONNECT_S = 15.0
# A reply may be so large: a token of the largest vocabularies has up to a hundred bytes, a thousand once JSON has
# escaped it and a server has added log-probabilities. What is larger is no answer, and would fill memory and cache.
REPLY_BYTES, BYTES_PER_TOKEN = 1 << 20, 1024
FRAGMENT = 12  # characters of a key that a message may not show either
_KEY_PARAMETERS = frozenset({"key", "api_key", "apikey", "api-key", "token", "access_token", "sig"})


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
        """`text` without the key or a longer part of it: servers quote it back, some of them cut."""
        text = text.replace(self._value, "***")
        windows = range(len(self._value) - FRAGMENT + 1)
        parts = {self._value[start : start + FRAGMENT] for start in windows}
        while any(text[start : start + FRAGMENT] in parts for start in range(len(text) - FRAGMENT + 1)):
            first = next(start for start in range(len(text)) if text[start : start + FRAGMENT] in parts)
            end = first + FRAGMENT
            while end < len(text) and text[end - FRAGMENT + 1 : end + 1] in parts:
                end += 1
            text = f"{text[:first]}***{text[end:]}"
        return text

    def scrub_bytes(self, body: bytes) -> bytes:
        """A reply without the key, before anything reads it: no name, text or explanation can carry it on."""
        return body.replace(self._value.encode("ascii"), b"***")


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
    if problem := key_name_problem(name):
        raise ChatError(f"{endpoint.model} at {endpoint.base_url}: {problem} Nothing was sent.")
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


def may_use_proxy(base_url: str) -> bool:
    """Whether HTTP_PROXY and the like apply: never to this machine, and never to a key over plain http.

    A proxy would read what `check_url` promises to keep on this machine or in the network that the user named.
    """
    url = httpx.URL(base_url)
    return url.scheme == "https" and not _is_local(url.host)


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
    if any(is_key_shaped(value) or name.lower() in _KEY_PARAMETERS for name, value in url.params.multi_items()):
        raise ChatError(
            f"base_url for {url.host} holds a key in its query, which would end up in dvc.lock. Remove it from the "
            "profile; a key belongs into the variable that api_key_env names."
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


class Reply(NamedTuple):
    """One HTTP response, whole and without the key."""

    status: int
    headers: httpx.Headers
    body: bytes


class ReplyTooLarge(Exception):
    """A reply is larger than any answer can be; reading it was stopped."""


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
        self._max_bytes = REPLY_BYTES + BYTES_PER_TOKEN * endpoint.max_tokens
        self._headers = {
            "content-type": "application/json", "accept": "application/json", "accept-encoding": "gzip, deflate",
        }  # fmt: skip
        self._key = key
        self._trust_env = transport is None and may_use_proxy(endpoint.base_url)
        if key is not None:
            self._headers["authorization"] = key.bearer()
        self._transport = transport
        # read once (20 ms) and not by each client; plain http needs none
        encrypted = transport is None and endpoint.base_url.startswith("https:")
        self._verify = httpx.create_ssl_context() if encrypted else False
        self._idle: list[httpx.AsyncClient] = []
        self._clients: list[httpx.AsyncClient] = []

    async def post(self, body: bytes) -> Reply:
        """Send one request on an idle connection (the one used last, which is open), or on a new one.

        Raises:
            httpx.TransportError, httpx.DecodingError: the reply did not come whole.
            ReplyTooLarge: it is no answer.
        """
        client = self._idle.pop() if self._idle else self._open_client()
        try:
            async with client.stream("POST", self._url, content=body) as response:
                content = await read_bounded(response, self._max_bytes)
        finally:
            self._idle.append(client)
        return Reply(
            response.status_code, response.headers, content if self._key is None else self._key.scrub_bytes(content)
        )

    async def close(self) -> None:
        """Close the connections; a transport from outside stays open, it is its owner's."""
        if self._transport is None:
            for client in self._clients:
                await client.aclose()

    def _open_client(self) -> httpx.AsyncClient:
        timeout = httpx.Timeout(None, connect=self._connect_s)
        if self._transport is not None:
            client = httpx.AsyncClient(
                transport=self._transport, headers=self._headers, timeout=timeout, trust_env=False
            )
        else:
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
            client = httpx.AsyncClient(
                verify=self._verify, headers=self._headers, timeout=timeout, limits=limits, trust_env=self._trust_env
            )
        self._clients.append(client)
        return client


async def read_bounded(response: httpx.Response, max_bytes: int) -> bytes:
    """The body of `response`, unpacked, without ever holding much more than `max_bytes` of it.

    httpx unpacks a chunk whole, and 64 KiB of gzip may hold 64 MiB; so it is unpacked here.

    Raises:
        ReplyTooLarge: there is more.
        httpx.DecodingError: it is not what its content-encoding says.
    """
    if response.is_stream_consumed:  # of a transport in this process, which had it in memory anyway
        if len(response.content) > max_bytes:
            raise ReplyTooLarge
        return response.content
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise httpx.DecodingError(f"content-encoding {coding[:20]!r} was not asked for")
    unpack = None if coding in ("identity", "") else zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, max_bytes + 1 - len(body))
        except zlib.error:
            raise httpx.DecodingError("the body is not what its content-encoding says") from None
        if len(body) > max_bytes:
            raise ReplyTooLarge
    if unpack is not None and body and not unpack.eof:
        raise httpx.DecodingError("the compressed body is cut")
    return bytes(body)

"""Read a pinned file of a published suite: from the reader's data folder, else downloaded once at the pinned commit.

The folder decides before the network does: what is in it is used, so that a run does not depend on whether there is a
network. Downloads go to the user's cache, never into the repository (the suites are not ours to redistribute), and no
bytes are returned unless their git blob id is the pinned one. Appendices A.1, O.1.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

import httpx

from dart.core.errors import DataError
from dart.core.files import replacing
from dart.core.store import cache_folder
from dart.suite.pins import Pin, verify

log = logging.getLogger(__name__)

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


class Location(NamedTuple):
    """Where the files of one suite are: on GitHub, in a data folder, and in the cache."""

    suite: str  # as messages call it
    repository: str
    commit: str
    remote: str  # folder inside the repository, with a slash at its end; "" for the repository itself
    local: tuple[str, ...]  # folders inside DART_DATA_DIR, in the order in which they are searched
    cache: str  # folder inside the cache

    def url(self, file: str) -> str:
        """Where the pinned version of `file` is downloaded from."""
        raw = self.repository.replace("https://github.com/", "https://raw.githubusercontent.com/")
        return f"{raw}/{self.commit}/{self.remote}{file}"


def data_folder(data_dir: Path | None, location: Location) -> Path | None:
    """`data_dir`, or the folder named by the environment variable DART_DATA_DIR; None if neither is set.

    Raises:
        DataError: the folder does not exist.
    """
    path = data_dir if data_dir is not None else os.environ.get("DART_DATA_DIR")
    if not path:
        return None
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"DART_DATA_DIR is {folder}, which is not a directory. Point it to the folder that holds "
            f"{location.local[0]}, or unset it to download the files from {location.repository}."
        )
    return folder


def local_file(folder: Path | None, file: str, location: Location) -> Path | None:
    """The path of `file` in the data folder, or None if it is not there."""
    if folder is None:
        return None
    return next((path for name in location.local if (path := folder / name / file).is_file()), None)


def pinned_bytes(pin: Pin, location: Location, folder: Path | None, transport: httpx.BaseTransport | None) -> bytes:
    """The verified content of one file: from `folder`, else from the cache, else downloaded.

    Args:
        folder: the reader's data folder, see `data_folder`.
        transport: how to download; None means the network.

    Raises:
        IntegrityError: the content is not the pinned one.
        DataError: the file cannot be read, or is nowhere and cannot be downloaded.
    """
    path = local_file(folder, pin.file, location) or cache_folder() / location.cache / pin.file
    if path.is_file():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}. Make it readable.") from None
        verify(content, pin, str(path))
        return content
    content = _download(pin, location, transport)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return content


def _download(pin: Pin, location: Location, transport: httpx.BaseTransport | None) -> bytes:
    url = location.url(pin.file)
    log.info("%s of %s is not in DART_DATA_DIR: downloading %s", pin.file, location.suite, url)
    try:
        with httpx.Client(transport=transport, timeout=_TIMEOUT, follow_redirects=True) as client:
            response = client.get(url)
            response.raise_for_status()
    except httpx.HTTPError as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(
            f"{pin.file} of {location.suite} is not in DART_DATA_DIR and could not be downloaded ({reason}). Clone "
            f"{location.repository} at {location.commit}, put the file into {location.local[0]} of a folder and set "
            "DART_DATA_DIR to that folder, or run again with a network connection."
        ) from None
    verify(response.content, pin, url)
    return response.content

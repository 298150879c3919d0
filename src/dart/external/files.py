"""The pinned files of an external suite: from the reader's data folder, else downloaded once at the pinned commit.

As for the main suite, the folder decides before the network does, downloads go to the user's cache and never into the
repository, and nothing is read before its git blob id is the pinned one. Appendix O.1.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import httpx
import platformdirs

from dart.core.errors import DataError
from dart.core.files import replacing
from dart.external.items import DISPLAY, SuiteName
from dart.external.pins import ORIGINS, Origin
from dart.suite.pins import verify

log = logging.getLogger(__name__)

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


def published_files(
    suite: SuiteName, data_dir: Path | None, *, transport: httpx.BaseTransport | None = None
) -> dict[str, bytes]:
    """The verified content of every file of `suite`, by file name.

    Args:
        data_dir: where the files lie; None means the environment variable DART_DATA_DIR, or a download.
        transport: how to download; None means the network.

    Raises:
        DataError: the data folder does not exist, or a file is nowhere and cannot be downloaded.
        IntegrityError: a file differs from the pinned one.
    """
    origin, folder = ORIGINS[suite], _folder(suite, data_dir)
    return {file: _content(suite, origin, file, folder, transport) for file in origin.blobs}


def _folder(suite: SuiteName, data_dir: Path | None) -> Path | None:
    named = data_dir if data_dir is not None else os.environ.get("DART_DATA_DIR")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"DART_DATA_DIR names {folder}, which is no folder. Point it to the folder that holds "
            f"{ORIGINS[suite].local}, or unset it to download the files from {ORIGINS[suite].repository}."
        )
    return folder


def _content(
    suite: SuiteName, origin: Origin, file: str, folder: Path | None, transport: httpx.BaseTransport | None
) -> bytes:
    local = None if folder is None else folder / origin.local / file
    path = local if local is not None and local.is_file() else _cached(origin, file)
    if path.is_file():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}. Make it readable.") from None
        verify(content, origin.pin(file), str(path))
        return content
    content = _download(suite, origin, file, transport)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return content


def _cached(origin: Origin, file: str) -> Path:
    named = os.environ.get("DART_CACHE_DIR")
    root = Path(named).expanduser() if named else platformdirs.user_cache_path("dart")
    return root / origin.local / origin.commit / file


def _download(suite: SuiteName, origin: Origin, file: str, transport: httpx.BaseTransport | None) -> bytes:
    url = origin.url(file)
    log.info("%s of %s is not in DART_DATA_DIR: downloading %s", file, DISPLAY[suite], url)
    try:
        with httpx.Client(transport=transport, timeout=_TIMEOUT, follow_redirects=True) as client:
            response = client.get(url)
            response.raise_for_status()
    except httpx.HTTPError as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(
            f"{file} of {DISPLAY[suite]} is not in DART_DATA_DIR and could not be downloaded ({reason}). Clone "
            f"{origin.repository} at {origin.commit}, put the file into {origin.local} of a folder and set "
            "DART_DATA_DIR to that folder, or run again with a network."
        ) from None
    verify(response.content, origin.pin(file), url)
    return response.content

"""Find the pinned files of the suite in a folder of the reader's, or download them once.

The folder decides before the network does: what is in it is used, so that a run does not change with the weather.
Downloads go to the user's cache, never into the repository (the suite is not ours to redistribute). Appendix A.1.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import httpx
import platformdirs

from dart.core.errors import DataError
from dart.core.files import replacing
from dart.suite.pins import COMMIT, FOLDER, RAW_URL, REPOSITORY, Pin, verify

log = logging.getLogger(__name__)

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


def data_folder(data_dir: Path | None) -> Path | None:
    """`data_dir`, or what the environment variable DART_DATA_DIR names; None if neither is given.

    Raises:
        DataError: the folder that is named does not exist.
    """
    named = data_dir if data_dir is not None else os.environ.get("DART_DATA_DIR")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"DART_DATA_DIR names {folder}, which is no folder. Point it to the folder that holds "
            f"difference_awareness/{FOLDER}, or unset it to download the files from {REPOSITORY}."
        )
    return folder


def local_file(folder: Path | None, file: str) -> Path | None:
    """The file in one of the three places of `folder` where it may lie, or None."""
    if folder is None:
        return None
    places = (folder / "difference_awareness" / FOLDER, folder / FOLDER, folder)
    return next((place / file for place in places if (place / file).is_file()), None)


def pinned_bytes(pin: Pin, folder: Path | None, transport: httpx.BaseTransport | None) -> bytes:
    """The verified content of one file: from `folder`, else from the cache, else from the pinned commit.

    Raises:
        IntegrityError: the bytes found or downloaded are not the pinned ones.
        DataError: the file is nowhere and cannot be downloaded.
    """
    path = local_file(folder, pin.file) or _cached(pin)
    if path.is_file():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}. Make it readable.") from None
        verify(content, pin, str(path))
        return content
    content = _download(pin, transport)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return content


def _cached(pin: Pin) -> Path:
    named = os.environ.get("DART_CACHE_DIR")
    root = Path(named).expanduser() if named else platformdirs.user_cache_path("dart")
    return root / "difference_awareness" / COMMIT / pin.file


def _download(pin: Pin, transport: httpx.BaseTransport | None) -> bytes:
    url = RAW_URL + pin.file
    log.info("%s is not in DART_DATA_DIR: downloading %s", pin.file, url)
    try:
        with httpx.Client(transport=transport, timeout=_TIMEOUT, follow_redirects=True) as client:
            response = client.get(url)
            response.raise_for_status()
    except httpx.HTTPError as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(
            f"{pin.file} of the benchmark suite is not in DART_DATA_DIR and could not be downloaded ({reason}). "
            f"Clone {REPOSITORY} at {COMMIT} and set DART_DATA_DIR to that folder, or run again with a network."
        ) from None
    verify(response.content, pin, url)
    return response.content

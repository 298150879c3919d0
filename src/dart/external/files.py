"""The published files of an external suite, verified: from the reader's data folder or downloaded at the pinned commit.

The loaders take bytes by file name, so that published and simulated files go through the same code. Appendix O.1.
"""

from __future__ import annotations

from pathlib import Path

import httpx

from dart.external.items import DISPLAY, SuiteName
from dart.external.pins import ORIGINS
from dart.suite.download import Location, data_folder, pinned_bytes


def published_files(
    suite: SuiteName, data_dir: Path | None, *, transport: httpx.BaseTransport | None = None
) -> dict[str, bytes]:
    """The verified content of every file of `suite`, by file name.

    Args:
        data_dir: the folder with the files; None means the environment variable DART_DATA_DIR, or a download.
        transport: how to download; None means the network.

    Raises:
        DataError: the data folder does not exist, or a file is nowhere and cannot be downloaded.
        IntegrityError: a file differs from the pinned one.
    """
    origin = ORIGINS[suite]
    location = Location(
        suite=DISPLAY[suite],
        repository=origin.repository,
        commit=origin.commit,
        remote=origin.remote,
        local=(origin.local,),
        cache=f"{origin.local}/{origin.commit}",
    )
    folder = data_folder(data_dir, location)
    return {file: pinned_bytes(origin.pin(file), location, folder, transport) for file in origin.blobs}

"""`dart viewer`: the page with every sample, of this run alone or beside another run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

OUT = Path("report") / "viewer.html"


def viewer(
    run: Annotated[Path | None, typer.Argument(help="a viewer.html or the folder of one; this run's if none")] = None,
    against: Annotated[
        str | None, typer.Option(help="git revision, folder or viewer.html of the run to show beside it")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="page to write")] = OUT,
) -> None:
    """Write the page with every sample, of this run alone or beside another.

    Prompt, answers side by side, scores and verdicts; masked until you ask.

    `dart viewer --against HEAD~1` shows what changed since: filter "Against the other run". A page holds the samples it
    shows, so that two pages that were mailed can be compared without their runs.
    """
    from dart.core import layout
    from dart.core.errors import DataError
    from dart.core.files import replacing
    from dart.viewer.archive import read_page
    from dart.viewer.page import viewer_html

    runs = [_current() if run is None else read_page(run)]
    if run is None and not (layout.REPORT / "viewer.html").is_file() and against is None:
        print("true drift and links from tables are in the page of `dvc repro paper` alone")
    if against is not None:
        other = read_page(Path(against)) if Path(against).exists() else _of_revision(against)
        runs.append({**other, "title": against})
    if out.exists() and 'id="samples"' not in out.read_text(encoding="utf-8", errors="replace"):
        raise DataError(f"{out} is not a page of samples and is not overwritten. Name another with --out.")
    with replacing(out) as temporary:
        temporary.write_text(viewer_html(runs), encoding="utf-8")
    print(f"samples  {out} ({out.stat().st_size / 1e6:.1f} MB)")


def _current() -> dict[str, Any]:
    """The samples of this run: of its page, or else of what has run so far."""
    from dart.annotation.sample import primary
    from dart.core import layout, params
    from dart.viewer.archive import archive, read_page
    from dart.viewer.samples import load_samples

    if (layout.REPORT / "viewer.html").is_file():
        return read_page(layout.REPORT)
    settings, profile = params.check()
    return archive(
        load_samples(
            Path(), settings.students, profile.seeds, profile.label, settings.profile, primary(settings.students)
        )
    )


def _of_revision(revision: str) -> dict[str, Any]:
    """The samples of a committed run, from DVC's cache.

    Raises:
        DataError: there is no such revision, or its page is not here.
    """
    import dvc.api
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexError

    from dart.core import layout
    from dart.core.errors import DataError
    from dart.viewer.archive import read_archive

    path = (layout.REPORT / "viewer.html").as_posix()
    try:
        return read_archive(dvc.api.read(path, rev=revision, mode="r", encoding="utf-8"), f"{path} of {revision}")
    except (DvcException, DataIndexError, OSError, KeyError) as error:
        raise DataError(
            f"'{revision}' is no page or folder here, and {path} of that revision cannot be read "
            f"({type(error).__name__}: {error}). `dvc fetch --all-commits` gets the outs of older commits; a run from "
            "before there was a viewer needs `dvc repro paper` in its own checkout."
        ) from None

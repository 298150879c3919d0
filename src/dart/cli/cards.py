"""`dart cards` and `dart publish`: what a run gives on, with its cards, and the push to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dart.cards.publishing import Repository

OUT = Path("hub")
Folder = Annotated[Path, typer.Argument(help="folder of `dart cards`")]


def cards(
    folder: Annotated[Path, typer.Argument(help="folder to write")] = OUT,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="students whose adapters are written: distilled, repaired, control; repeat it for each"),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="licence of the hub's list, in the place of the models' own")
    ] = None,
    texts: Annotated[
        bool, typer.Option("--texts", help="also prompts and answers of your own benchmark, which you may pass on")
    ] = False,
) -> None:
    """Write adapters, answers and numbers with cards for the Hugging Face hub. Nothing leaves this machine."""
    from dart.cards.facts import load_facts
    from dart.cards.writer import write_cards
    from dart.core.errors import ParameterError

    variants = variant or ["repaired"]
    if unknown := sorted({*variants} - {"distilled", "repaired", "control"}):
        raise ParameterError(f"--variant {unknown[0]}: it is one of distilled, repaired, control.")
    listed = write_cards(load_facts(), folder, dict.fromkeys(variants), licence, own_texts=texts)
    for entry in listed.publications:
        print(f"{entry.repo_type:<8} {folder / entry.folder}  {len(entry.files) + 1} files, licence {entry.licence}")
    without = "" if listed.with_texts else "; without prompts and answers, which must not be passed on"
    print(f"{listed.label}{without}. `dart publish {folder} --owner NAME` shows what would be pushed")


def publish(
    folder: Folder = OUT,
    owner: Annotated[str, typer.Option(help="user or organisation of the hub")] = "OWNER",
    push: Annotated[
        bool, typer.Option("--push", help="really push, with HF_TOKEN; without it nothing is sent")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="everybody may read; without it repositories are private")
    ] = False,
) -> None:
    """Show what would be pushed to the Hugging Face hub, and push it on --push.

    Repositories, files, sizes, licences, and what forbids it: texts of a benchmark that must not be passed on, changed
    files, simulated results without their label.
    """
    from dart.cards import publishing
    from dart.core.errors import ParameterError

    repositories = publishing.plan(folder, owner)
    for repository in repositories:
        _show(repository, public=public)
    if any(repository.problems for repository in repositories):
        raise typer.Exit(1)
    if not push:
        print("nothing was sent; --push pushes")
        return
    if owner == "OWNER":
        raise ParameterError("--push needs --owner: the user or organisation whose repositories these are.")
    for address in publishing.push(repositories, private=not public):
        print(f"pushed   {address}")


def _show(repository: Repository, *, public: bool) -> None:
    from dart.core.visible_text import visible

    total, entry = sum(repository.sizes.values()), repository.publication
    access = "public" if public else "private"
    print(
        visible(
            f"{entry.repo_type:<8} {repository.repo_id}  {len(repository.sizes)} files, {_size(total)}, "
            f"licence {entry.licence}, {access}"
        )
    )
    for name, size in repository.sizes.items():
        print(visible(f"  {_size(size):>9}  {name}"))
    for kind, lines in (("warning", repository.warnings), ("REFUSED", repository.problems)):
        for line in lines:
            print(visible(f"  {kind}: {line}"))


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.1f} kB"

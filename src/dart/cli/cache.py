"""`dart cache`: the answers that were paid for, as something to count, hand on and tidy up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dart.cli.help import DartCommand, DartGroup
from dart.core.visible_text import visible

if TYPE_CHECKING:
    from dart.chat.archive import Selection

app = typer.Typer(
    cls=DartGroup,
    no_args_is_help=True,
    help="Count, verify, export, import and prune paid answers. All clones of a user share them.",
)

Model = Annotated[str | None, typer.Option(help="only answers of this model")]
BaseUrl = Annotated[str | None, typer.Option(help="only answers of this endpoint")]
ArchiveFile = Annotated[Path, typer.Argument(dir_okay=False, help="archive of answers")]
Stage = Annotated[str | None, typer.Option(help="only answers that this stage asked for first, e.g. distill")]


@app.command("stats", cls=DartCommand)
def stats() -> None:
    """Count answers, scores and money by endpoint, model and stage."""
    from dart.chat import archive
    from dart.chat.cache import ResponseCache
    from dart.chat.ledger import ledger_entries
    from dart.harm.scores import ScoreCache

    cache = ResponseCache()
    print(f"{cache.path}: {len(cache)} answers")
    for group in archive.answer_counts(cache):
        print(
            visible(
                f"  {group.model} at {group.base_url}, {group.stage}: {group.answers} answers, "
                f"{group.prompt_tokens} + {group.completion_tokens} tokens"
            )
        )
    scores = ScoreCache()
    if scores.path.is_file():
        counts = scores.counts()
        print(f"{scores.path}: {sum(count.scores for count in counts)} scores")
        for count in counts:
            print(visible(f"  {count.model}, {count.label}: {count.scores} texts"))
    entries = ledger_entries(cache)
    print(f"paid: {sum(entry.usd for entry in entries):.4f} USD" if entries else "paid: nothing")
    for entry in entries:
        unconfirmed = f", at most {entry.unconfirmed_usd:.4f} USD more for replies that were lost or without usage"
        print(
            visible(
                f"  {entry.model} at {entry.base_url}, {entry.stage}: {entry.calls} calls, "
                f"{entry.prompt_tokens} + {entry.completion_tokens} tokens, {entry.usd:.4f} USD"
                + (unconfirmed if entry.unconfirmed_usd else "")
            )
        )


@app.command("export", cls=DartCommand)
def export(file: ArchiveFile, model: Model = None, base_url: BaseUrl = None, stage: Stage = None) -> None:
    """Write answers to a .jsonl, .jsonl.gz, .jsonl.xz or .jsonl.bz2 file."""
    from dart.chat import archive
    from dart.chat.cache import ResponseCache

    result = archive.export(ResponseCache(), file, archive.Selection(model, base_url, stage))
    damaged = f"; {result.damaged} damaged ones left out (`dart cache verify` removes them)" if result.damaged else ""
    print(f"{result.written} answers written to {file}{damaged}")


@app.command("import", cls=DartCommand)
def import_(file: ArchiveFile) -> None:
    """Add the answers of an exported file. An answer that is in the cache already stands."""
    from dart.chat import archive
    from dart.chat.cache import ResponseCache

    result = archive.load(ResponseCache(), file)
    print(
        f"{result.added} new answers, {result.identical} known already, "
        f"{result.conflicting} known with another text (kept ours)"
    )


@app.command("verify", cls=DartCommand)
def verify() -> None:
    """Check every answer by its checksum. Damaged ones are removed and asked again, and a damaged file is replaced."""
    from dart.chat.cache import ResponseCache
    from dart.chat.repair import verify as verify_cache

    cache = ResponseCache()
    result = verify_cache(cache)
    print(f"{cache.path}: {result.answers} answers are whole, {result.damaged} were damaged and are gone")
    if result.unchecked:
        print(f"{result.unchecked} had no checksum (an older version wrote them) and have one now")
    if result.moved_to is not None:
        print(f"the file itself was damaged: what could be read is in a new one, the old one is {result.moved_to}")


@app.command("prune", cls=DartCommand)
def prune(
    older_than: Annotated[float | None, typer.Option(metavar="DAYS", help="stored before so many days")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="really remove them")] = False,
    model: Model = None,
    base_url: BaseUrl = None,
    stage: Stage = None,
) -> None:
    """Remove answers and scores; without --yes only say how many."""
    from dart.chat import archive
    from dart.chat.cache import ResponseCache

    selection = archive.Selection(model, base_url, stage, older_than)
    count = archive.prune(ResponseCache(), selection, dry_run=not yes)
    things = f"{count} answers{_prune_scores(selection, dry_run=not yes)}"
    print(f"{things} removed" if yes else f"{things} would be removed; --yes removes them")


def _prune_scores(selection: Selection, *, dry_run: bool) -> str:
    """Remove the scores that a selection by model and age means as well; " and N scores", or nothing."""
    from dart.chat.archive import DAY_S
    from dart.harm.scores import ScoreCache

    scores = ScoreCache()
    if not scores.path.is_file() or selection.base_url is not None or selection.stage is not None:
        return ""
    age_s = None if selection.older_than_days is None else selection.older_than_days * DAY_S
    return f" and {scores.prune(selection.model, age_s, dry_run=dry_run)} scores"


@app.command("batches", cls=DartCommand)
def batches() -> None:
    """List batches that were submitted and are not collected."""
    from dart.chat.batch_cancel import open_batches
    from dart.chat.cache import ResponseCache

    entries = open_batches(ResponseCache())
    for entry in entries:
        batch, origin = entry.batch, entry.origin
        where = f"{batch.remote_id or 'perhaps not submitted'}, {origin.model} at {origin.base_url}, {origin.stage}"
        print(visible(f"{batch.name}: {entry.n_requests} requests, {where}"))
    print("the run that needs one collects it; `dart cache cancel` stops it" if entries else "no batch is open")


@app.command("cancel", cls=DartCommand)
def cancel(
    names: Annotated[list[str], typer.Argument(help="batches as `dart cache batches` names them, or all")],
) -> None:
    """Stop submitted batches, and keep what they have answered by then."""
    from dart.chat.batch import POLL_S
    from dart.chat.batch_cancel import cancel_batch, endpoint_of, open_batches
    from dart.chat.cache import ResponseCache
    from dart.core.errors import ChatError
    from dart.core.params import check

    cache = ResponseCache()
    entries = {entry.batch.name: entry for entry in open_batches(cache)}
    if unknown := [name for name in names if name not in entries and name != "all"]:
        raise ChatError(f"no open batch is called {', '.join(unknown)}: see `dart cache batches`.")
    profile = check()[1]
    parties = [profile.endpoint(role) for role in profile.roles]
    for entry in entries.values() if "all" in names else [entries[name] for name in names]:
        ended = cancel_batch(entry, endpoint_of(entry, parties), cache, POLL_S)
        print(
            visible(
                f"{entry.batch.name}: {ended.status}; {ended.answered} answers kept, "
                f"{ended.released} requests are free to be asked again"
            )
        )

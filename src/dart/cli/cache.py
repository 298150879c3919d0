"""`dart cache`: the answers that were paid for, as something to count, hand on and tidy up."""

from __future__ import annotations

import argparse
from pathlib import Path

from dart.chat import archive
from dart.chat.cache import ResponseCache
from dart.chat.ledger import spending
from dart.harm.scores import ScoreCache


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its actions."""
    actions = commands.add_parser("cache", help=__doc__).add_subparsers(dest="action", required=True)
    actions.add_parser("stats", help="answers and money by endpoint, model and stage").set_defaults(run=_stats)
    export = actions.add_parser("export", help="write answers to a .jsonl, .jsonl.gz, .jsonl.xz or .jsonl.bz2 file")
    export.add_argument("file", type=Path)
    export.set_defaults(run=_export)
    load = actions.add_parser("import", help="add the answers of an exported file; own answers stand")
    load.add_argument("file", type=Path)
    load.set_defaults(run=_import)
    prune = actions.add_parser("prune", help="remove answers and scores; without --yes only say how many")
    prune.add_argument("--older-than", type=float, metavar="DAYS", help="stored before so many days")
    prune.add_argument("--yes", action="store_true", help="really remove them")
    prune.set_defaults(run=_prune)
    for parser in (export, prune):
        parser.add_argument("--model", help="only answers of this model")
        parser.add_argument("--base-url", help="only answers of this endpoint")
        parser.add_argument("--stage", help="only answers that this stage asked for first, e.g. distill")


def _chosen(given: argparse.Namespace) -> archive.Selection:
    return archive.Selection(given.model, given.base_url, given.stage, getattr(given, "older_than", None))


def _stats(_: argparse.Namespace) -> None:
    cache = ResponseCache()
    print(f"{cache.path}: {len(cache)} answers")
    for line in archive.stored(cache):
        print(
            f"  {line.model} at {line.base_url}, {line.stage}: {line.answers} answers, "
            f"{line.prompt_tokens} + {line.completion_tokens} tokens"
        )
    scores = ScoreCache()
    if scores.path.is_file():
        kept = scores.counts()
        print(f"{scores.path}: {sum(line.scores for line in kept)} scores")
        for score in kept:
            print(f"  {score.model}, {score.label}: {score.scores} texts")
    lines = spending(cache)
    print(f"paid: {sum(line.usd for line in lines):.4f} USD" if lines else "paid: nothing")
    for paid in lines:
        lost = f", at most {paid.unconfirmed_usd:.4f} USD more for requests that were lost" * bool(paid.unconfirmed_usd)
        print(
            f"  {paid.model} at {paid.base_url}, {paid.stage}: {paid.calls} calls, "
            f"{paid.prompt_tokens} + {paid.completion_tokens} tokens, {paid.usd:.4f} USD{lost}"
        )


def _export(given: argparse.Namespace) -> None:
    print(f"{archive.export(ResponseCache(), given.file, _chosen(given))} answers written to {given.file}")


def _import(given: argparse.Namespace) -> None:
    done = archive.load(ResponseCache(), given.file)
    print(f"{done.new} new answers, {done.known} known already, {done.different} known with another text (kept ours)")


def _prune(given: argparse.Namespace) -> None:
    chosen, scores = _chosen(given), ScoreCache()
    count, things = archive.prune(ResponseCache(), chosen, dry_run=not given.yes), "answers"
    if scores.path.is_file() and chosen.base_url is None and chosen.stage is None:
        age_s = None if chosen.older_than_days is None else chosen.older_than_days * archive.DAY_S
        things = f"answers and {scores.prune(chosen.model, age_s, dry_run=not given.yes)} scores"
    print(f"{count} {things} removed" if given.yes else f"{count} {things} would be removed; --yes removes them")

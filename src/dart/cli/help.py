"""How `dart` explains itself: commands by what they are for, and examples under each, which a test parses.

Examples stand here and not in docstrings, because help texts are wrapped and a command line must not be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from typer.core import TyperCommand, TyperGroup

DEEPEST = 200  # characters of a command's first sentence in a list: all of it


class Example(NamedTuple):
    """A command line, and what it is for."""

    line: str
    what: str


# Commands of `dart --help` by what a reader wants.
TOPICS: Mapping[str, tuple[str, ...]] = {
    "Before a run": ("check", "estimate", "power"),
    "Run": ("repro", "verify", "arms", "graph"),
    "Read the results": ("summary", "report", "viewer"),
    "Any two models, from this project or not": ("audit", "compare"),
    "With other people": ("annotate", "cache", "cards", "publish"),
    "In this repository": ("readme",),
}

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "": (
        Example("dart repro evaluate && dart summary", "the main path with simulated students, and its numbers"),
        Example("dart audit base.jsonl tuned.jsonl", "two files of answers, anywhere"),
    ),
    "check": (
        Example("dart check", "both files of parameters, without a network"),
        Example("dart check --online --profile paper", "also endpoints, models, disk and GPUs of another profile"),
    ),
    "graph": (Example("dart graph", "for the drawing in README.md"),),
    "summary": (Example("dart summary", "of the last run"),),
    "report": (Example("dart report --out report", "open report/index.html"),),
    "viewer": (
        Example("dart viewer", "every sample of this run"),
        Example("dart viewer --against HEAD~1", "and what changed since the last commit"),
        Example("dart viewer mine/viewer.html --against theirs/viewer.html", "two pages that were mailed"),
    ),
    "readme": (Example("dart readme", "after `dvc repro` has renewed metrics/"),),
    "repro": (
        Example("dart repro", "everything that is not up to date"),
        Example("dart repro evaluate --jobs 2", "the main path alone, two stages at once"),
        Example("dart repro --dry", "what would run"),
    ),
    "verify": (
        Example("dart verify", "with the last commit"),
        Example("dart verify --rev v1.0 --json verdict.json", "with a tag, for a machine to read"),
    ),
    "arms": (Example("dart arms", "and then `dart repro ablations/dvc.yaml`"),),
    "compare": (
        Example("dart compare mine.jsonl theirs.csv", "two files with labels"),
        Example(
            "dart compare data/generations/base/base.jsonl data/generations/base/repaired/seed-42.jsonl "
            "--suite data/suite/test.jsonl --moved moved.jsonl",
            "two variants of this run, and the pairs that moved most",
        ),
    ),
    "audit": (
        Example(
            "dart audit base.jsonl tuned.jsonl --classifier s-nlp/roberta_toxicity_classifier", "screened, not judged"
        ),
        Example(
            "dart audit base.csv tuned.csv --judge http://localhost:8001/v1 "
            "--judge-model Qwen/Qwen3-30B-A3B-Instruct-2507",
            "judged by a server of one's own",
        ),
        Example(
            "dart audit meta-llama/Llama-3.2-3B-Instruct my-adapter --prompts prompts.jsonl --config audit.yaml "
            "--estimate",
            "what it would cost to let an adapter answer and be judged",
        ),
    ),
    "power": (
        Example("dart power accuracy 0.05", "seeds and items that show five points"),
        Example("dart power drift_rate 0.02 --student base --contrast base_distilled", "of another contrast"),
    ),
    "estimate": (
        Example("dart estimate", "of what is not up to date in the cache"),
        Example("dart estimate --profile paper --students small base large --batch", "the paper's run at batch prices"),
    ),
    "annotate": (Example("dart annotate export sheets --annotator ann --annotator bob", "then mail the pages"),),
    "annotate export": (
        Example("dart annotate export sheets", "two annotators, base and distilled"),
        Example(
            "dart annotate export sheets --annotator ann --annotator bob --between repaired control --pairs 100",
            "another pair of variants",
        ),
    ),
    "annotate import": (Example("dart annotate import sheets", "as often as something has come back"),),
    "cache": (Example("dart cache stats", "what was asked and paid"),),
    "cache stats": (Example("dart cache stats", "of all clones of this user"),),
    "cache export": (
        Example("dart cache export answers.jsonl.xz", "so that others repeat a run without a key"),
        Example("dart cache export judge.jsonl --stage audit@base", "of one stage"),
    ),
    "cache import": (Example("dart cache import answers.jsonl.xz", "then set DART_CACHE_ONLY=1"),),
    "cache verify": (Example("dart cache verify", "after a crash of the disk"),),
    "cache prune": (
        Example("dart cache prune --older-than 90", "how many that would be"),
        Example("dart cache prune --model gpt-4 --yes", "and away"),
    ),
    "cache batches": (Example("dart cache batches", "what providers still work on"),),
    "cache cancel": (
        Example("dart cache cancel all", "after Ctrl-C, if nobody wants the answers any more"),
        Example("dart cache cancel 5f3c9a1e", "one of them"),
    ),
    "cards": (
        Example("dart cards", "the repaired students, into hub/"),
        Example("dart cards out --variant distilled --variant repaired --licence llama3", "two variants, by licence"),
    ),
    "publish": (
        Example("dart publish --owner me", "what would be pushed, and what forbids it"),
        Example("dart publish hub --owner me --push", "into private repositories, with HF_TOKEN"),
    ),
}


class DartCommand(TyperCommand):
    """A command whose help ends with examples."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_examples(ctx, formatter)


class DartGroup(TyperGroup):
    """Commands whose help ends with examples; sentences in their list are whole, and by topic where there are any."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        topics = TOPICS if ctx.parent is None else {"Commands": tuple(self.list_commands(ctx))}
        for topic, names in topics.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(topic):
                formatter.write_dl(
                    [(name, command.get_short_help_str(DEEPEST)) for name, command in commands if command is not None],
                    col_max=8,
                )

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_examples(ctx, formatter)


def write_examples(ctx: Any, formatter: Any) -> None:
    """Each command line by itself, behind what it is for; long ones are not wrapped, so that they can be copied."""
    examples = EXAMPLES.get(ctx.command_path.partition(" ")[2], ())
    if examples:
        with formatter.section("Examples" if len(examples) > 1 else "Example"):
            indent = " " * formatter.current_indent
            for example in examples:
                formatter.write(f"{indent}# {example.what}\n{indent}{example.line}\n")

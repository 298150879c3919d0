"""Hostile files of every kind that a reader can bring: settings, benchmarks, outputs, sheets, checkpoints, texts."""

from __future__ import annotations

import copy
import random
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from transformers import AutoTokenizer

from dart.annotation.csv_sheets import quoted_text, read_csv
from dart.cli.app import main
from dart.compare.reader import read_outputs
from dart.core import params
from dart.core.text_files import read_text
from dart.core.yaml_files import read_yaml
from dart.report.latex import latex
from dart.report.markdown import markdown
from dart.report.page import html_fragment
from dart.report.table import Table
from dart.student.template import ChatTemplate
from dart.suite.own import read_own
from dart.suite.unpickle import plain_unpickle
from tests.annotation.test_csv_sheets import CELL, FORMULAS, _cells
from tests.compare.test_comparison import HOSTILE_LINES as OUTPUT_LINES
from tests.core.test_ranges import BOMBS, _numbers, _with
from tests.property.test_readers import PIECES, WHOLE
from tests.stress.harness import Case
from tests.student.test_damaged_checkpoints import DAMAGES, _load
from tests.suite.test_own import HOSTILE_LINES as OWN_LINES
from tests.support import tiny_models

ROOT = Path(__file__).resolve().parents[2]
NONSENSE = (
    float("inf"), float("nan"), True, 10**30, "1", float("-inf"), -(10**16), 1e300, "0x10", [1], {"a": 1}, None,
)  # fmt: skip
FUZZED = 25  # damaged copies of each kind of file


def cases(scratch: Path) -> Iterator[Case]:
    """All cases; models that some of them damage are made in `scratch`."""
    yield from _settings()
    yield from _own_files()
    yield from _sheets()
    yield from _slips()
    yield from _renderings()
    yield from _checkpoints(scratch)
    yield from _pickles()
    yield from _fuzz()


def _write(name: str, content: bytes, read: Callable[[Path], object]) -> Callable[[Path], object]:
    def run(folder: Path) -> object:
        (folder / name).write_bytes(content)
        read(folder / name)
        return None

    return run


def _check(changes: dict[str, Any], folder: Path) -> None:
    """`dart check` on the shipped files with changes: file -> content."""
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    shutil.copy(ROOT / "params.yaml", folder)
    for file, content in changes.items():
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        (folder / file).write_text(text, encoding="utf-8")
    params.check(folder)


def _settings() -> Iterator[Case]:
    for file in ("params.yaml", "profiles/embedded.yaml"):
        content = read_yaml(ROOT / file)
        for index, path in enumerate(_numbers(content)):
            for value in (NONSENSE[index % len(NONSENSE)], NONSENSE[(index * 7 + 3) % len(NONSENSE)]):
                if value is None:  # some numbers may be absent
                    continue
                name = f"{'.'.join(map(str, path))} = {str(value)[:20]}"
                changed = _with(copy.deepcopy(content), path, value)
                yield Case("settings: numbers", name, partial(_check, {file: changed}), "refused")
    for name, (content_, _) in BOMBS.items():
        yield Case("settings: files", name, _write("params.yaml", content_, read_yaml), "refused")
    for profile in ("../evil", "/etc/passwd", "..", "", "x" * 5000, "a\nb", ["embedded"], 7, None, {"a": 1}, True):
        changed = read_yaml(ROOT / "params.yaml") | {"profile": profile}
        yield Case("settings: profile", repr(profile)[:30], partial(_check, {"params.yaml": changed}), "refused")
    for key, value in (
        ("students", ["small", "small"]), ("students", []), ("students", "small"), ("students", ["../x"]),
        ("variants", {"../../x": {"about": "x", "rank": 4}}), ("variants", {"x": {"about": "y", "rank": 4, "points": {"a/b": {}}}}),
        ("variants", []), ("hypotheses", None), ("lora", []), ("recipes", {"small": "published"}),
    ):  # fmt: skip
        changed = read_yaml(ROOT / "params.yaml") | {key: value}
        yield Case("settings: names", f"{key}: {value}"[:40], partial(_check, {"params.yaml": changed}), "refused")


def _own_files() -> Iterator[Case]:
    for line in OWN_LINES:
        content = f'{{"prompt": "Prompt one?", "label": "YES"}}\n{line}\n'.encode()
        yield Case("own benchmark", line[:40], _write("own.jsonl", content, read_own), "refused")
    for line in OUTPUT_LINES:
        yield Case("outputs", line[:40], _write("a.jsonl", line.encode(), read_outputs), "refused")
    for name, content in (
        ("UTF-16 without BOM", "id,gold,prediction\n".encode("utf-16-le")), ("Latin-1", "id,gold\nä,YES\n".encode("latin-1")),
        ("a large cell", b"id,gold,prediction\n" + b"x" * 1_100_000 + b",YES,NO\n"), ("nothing", b""), ("NUL", b"\x00" * 100),
        ("an image", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20), ("one quote", b'id,gold,prediction\n"a,YES,NO\n'),
        ("a million columns", b"," * 1_000_000), ("a million lines", b"\n" * 1_000_000 + b"x"),
        ("50 MB", b'{"id": "' + b"x" * 50_000_000 + b'"}'), ("the header twice", b"id,id\na,b\n"),
    ):  # fmt: skip
        for suffix in ("csv", "jsonl"):
            yield Case("outputs", f"{name}.{suffix}", _write(f"a.{suffix}", content, read_outputs), "refused")
            yield Case("own benchmark", f"{name}.{suffix}", _write(f"a.{suffix}", content, read_own), "refused")


def _sheets() -> Iterator[Case]:
    def formula(text: str, _: Path) -> None:
        assert not [cell for cell in _cells(quoted_text(text)) if CELL.match(cell)]

    for text in FORMULAS:
        yield Case("sheets: formulas", repr(text), partial(formula, text), "survived")
    header = "code,more_harmful,severity\n"
    for name, content in (
        ("nothing", b""), ("NUL", b"\x00\x01"), ("a quote", (header + '"ab\n').encode()), ("large", (header + "x" * 1_100_000).encode()),
        ("two columns", b"code,code,more_harmful,severity\n"), ("no column", b"a;b;c\n1;2;3\n"), ("UTF-16 cut", b"\xff\xfea"),
    ):  # fmt: skip

        def read(path: Path) -> None:
            read_csv(read_text(path, western=True), "sheet.csv", ("code", "more_harmful", "severity"))

        yield Case(
            "sheets: files", name, _write("sheet.csv", content, read), None if name == "UTF-16 cut" else "refused"
        )


def _slips() -> Iterator[Case]:
    def outputs(folder: Path) -> list[str]:
        names = []
        for name in ("a", "b"):
            rows = "".join(f"{i},{'YES' if i % 2 else 'NO'},YES\n" for i in range(20))
            (folder / f"{name}.csv").write_text(f"id,gold,prediction\n{rows}", encoding="utf-8")
            names.append(str(folder / f"{name}.csv"))
        return names

    def compare(target: str, folder: Path) -> int:
        return main(["compare", *outputs(folder), "--resamples", "100", "--json", str(folder / target)])

    for target in ("thesis", "thesis/data.csv", "notes.md", ".", "thesis/..", "a.csv"):
        yield Case("slips", f"compare --json {target}", partial(compare, target), "refused")
    yield Case("slips", "compare --json numbers.json", partial(compare, "numbers.json"), "survived")

    def export(target: str, folder: Path) -> int:
        return main(["cache", "export", str(folder / target)])

    for target in ("thesis", ".", "thesis/.."):
        yield Case("slips", f"cache export {target}", partial(export, target), "refused")

    def report(target: str, folder: Path) -> int:
        return main(["report", "--out", str(folder / target)])

    for target in ("thesis", "notes.md", "."):
        yield Case("slips", f"report --out {target}", partial(report, target), "refused")

    def compare_files(first: str, folder: Path) -> int:
        return main(["compare", str(folder / first), str(folder / "thesis"), "--resamples", "100"])

    for first in ("thesis", "nothing.csv", "notes.md", "thesis/data.csv"):
        yield Case("slips", f"compare {first} FOLDER", partial(compare_files, first), "refused")


UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's categories of what controls or formats and is not seen itself
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2065\ufff0\U000e0fff"  # unseen, in other categories
TEXTS = (
    "\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "a\u200bb\u2060c\ufeffd", "\u2066x\u2069", "\x00\x01\x08\x0b\x0c\x7f\x85", "\U000e0041\U000e0042",
    "<script>alert(1)</script>", "&lt;b&gt; &#60; &copy;", "![x](http://e.example/?a)", "[x](javascript:alert(1))", "`code` ```block```",
    "| a | b |\n|---|", "$\\input{/etc/passwd}$", "\\end{document}\\write18{id}", "% # & _ { } ~ ^", "http://e.example www.e.example",
    "a@e.example @user #1 :tada:", "**b** __i__ ~~s~~", "\r\n\r\n# heading", "]]> --> */ {{ 7*7 }} {% raw %}", "﷽" * 50, "é\u0301\u0301" * 50,
    "x" * 20_000, FILLERS, "\u2028\u2029", "\ud7ff\ue000\U0010ffff", "' onload='alert(1)", "\\\\[2pt] \\\\*", "--- ``quotes'' ---", "=1+1",
)  # fmt: skip


def _renderings() -> Iterator[Case]:
    def draw(render: Callable[[Table], str], text: str, _: Path) -> None:
        for wrapped in ((), (1,)):
            shown = render(
                Table(
                    number="1",
                    title=text,
                    columns=("a", text),
                    rows=(("x", text), (text, "y")),
                    note=text,
                    warning=text if wrapped else "",
                    wrapped=wrapped,
                    simulated=False,
                )
            )
            strange = {c for c in shown if (unicodedata.category(c) in UNSEEN and c not in "\n\t") or c in FILLERS}
            assert not strange, [f"U+{ord(c):04X}" for c in strange]
            assert "<script" not in shown.lower().replace("\\<script", "")

    for render in (markdown, html_fragment, latex):
        for text in TEXTS:
            yield Case("rendering", f"{render.__name__}: {text[:20]!r}", partial(draw, render, text), "survived")


TEMPLATES = (
    "{% for m in messages %}{{ m['content'] }", "{{ messages[0]['content'].a.b }}", "{{ messages[0]['content'] + 1 }}", "{{ ''.__class__ }}",
    "", "nothing", "{{ messages[0]['content'] | nope }}", "{{ 'x' * 100000000000 }}", "{{ messages[0]['content'] * 100000 }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "{% include '/etc/passwd' %}", "{{ self._TemplateReference__context }}",
    "{% for m in messages %}{% if m.role == 'system' %}{{ m.content.x.y }}{% endif %}{{ m.content }}{% endfor %}", "{{ messages }}" * 3000,
    "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "{{ cycler.__init__.__globals__ }}", "{{ range(10**12) | list }}",
)  # fmt: skip


def _checkpoints(scratch: Path) -> Iterator[Case]:
    whole = {"student": tiny_models.student(scratch / "s"), "classifier": tiny_models.classifier(scratch / "c")}

    def damaged(kind: str, change: Callable[[Path], None], folder: Path) -> None:
        copied = Path(shutil.copytree(whole[kind], folder / kind))
        change(copied)
        _load(kind, copied)

    for kind in whole:
        for name, (change, _) in DAMAGES.items():
            yield Case("checkpoints", f"{kind}: {name}", partial(damaged, kind, change), "refused")

    def template(text: str, folder: Path) -> None:
        words = tiny_models.tokenizer("llama")
        words.save_pretrained(folder / "t")
        (folder / "t" / "chat_template.jinja").write_text(text, encoding="utf-8")
        ChatTemplate(AutoTokenizer.from_pretrained(folder / "t"))

    for text in TEMPLATES:
        yield Case("templates", text[:40], partial(template, text), "refused")


def _pickles() -> Iterator[Case]:
    for name, content in {
        "a call": b"cos\nsystem\n(S'touch PWNED'\ntR.", "persistent id": b"\x80\x04\x8c\x01xQ.", "a terabyte": b"\x80\x05\x96" + b"\xff" * 8 + b".",
        "nothing": b"", "text": b"not a pickle", "memo": b"\x80\x04j\xff\xff\xff\xff.", "cut": b"\x80\x04]\x94(", "extension": b"\x80\x02\x82\x01.",
        "build": b"\x80\x04}\x8c\x01ab.", "marks": b"(" * 100_000 + b".", "an instance": b"(S'x'\nios\nsystem\n.",
    }.items():  # fmt: skip

        def read(data: bytes, folder: Path) -> None:
            plain_unpickle(data, "x.pkl")
            assert not (folder / "PWNED").exists()

        yield Case("pickles", name, partial(read, content))


def _fuzz() -> Iterator[Case]:
    draw = random.Random(17)
    for name, (content, read) in WHOLE.items():
        for number in range(FUZZED):
            changed = content
            for _ in range(draw.randint(1, 4)):
                start = draw.randrange(len(changed) + 1)
                changed = changed[:start] + draw.choice(PIECES) + changed[start + draw.randint(0, 60) :]
            yield Case(f"damaged {name}", str(number), _write(name, changed, read))

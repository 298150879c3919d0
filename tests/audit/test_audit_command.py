"""`dart audit` from files to the folder: the counts of the pipeline's own audit, and what is said of missing parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dart.cli.app import main
from dart.core.schema.method import Audit, Statistics
from dart.core.schema.profile import ScorerSpec
from dart.harm.audit import audit
from dart.harm.classifier import Classifier
from dart.stats.drift import Drift, drift_metrics, repair_metrics
from dart.stats.judge_consistency import judge_consistency
from dart.viewer.archive import read_page, unpack
from tests.audit.conftest import Files, N, write
from tests.support import tiny_models
from tests.support.chat_client import FakeClient
from tests.support.fake_server import Server, running
from tests.support.hashed_judge import answer, verdict

RATE, SEED = 0.3, 7


def numbers(folder: Path) -> Any:
    return json.loads((folder / "audit.json").read_text(encoding="utf-8"))


def run(*arguments: str) -> int:
    return main(["audit", *arguments, "--seed", str(SEED)])


@pytest.mark.parametrize("orders", ["fixed", "both"])
def test_the_counts_are_those_of_the_pipeline(files: Files, judge: tuple[Server, str], orders: str) -> None:
    out = files.folder / "out"
    options = ["--prompts", files.argument("prompts.jsonl"), "--judge", judge[1], "--judge-model", "hashed"]
    assert run(*files.sides, *options, "--orders", orders, "--sample", str(RATE), "--out", str(out)) == 0
    written = numbers(out)
    protocol = Audit(orders=orders, votes=1, unscreened_rate=RATE)
    client = FakeClient(verdict, files.folder).client
    sides = files.answers
    records = {
        role: audit(files.items, sides["base"], sides[role], 0.01, client, protocol, SEED)[0]
        for role in ("tuned", "third")
    }
    drift = drift_metrics(files.items, Drift(records["tuned"], records["third"], None), None)
    assert drift["before"]["total"] > 3
    assert drift["new"] > 0
    for role, when in (("tuned", "before"), ("third", "after")):
        ours = written["candidates"][role]
        counts = {name: value for name, value in drift[when].items() if name not in ("rate", "total")}
        assert ours["severities"] == counts
        assert ours["cases"] == drift[when]["total"]
        assert round(ours["rate"]["estimate"], 4) == drift[when]["rate"]
        judging = judge_consistency(records[role])
        assert {name: ours["judging"][name] for name in judging if name != "flip_rate"} == {
            name: value for name, value in judging.items() if name != "flip_rate"
        }
    flow = written["third_against_tuned"]
    assert (flow["gone"], flow["new"]) == (drift["repaired_gross"], drift["new"])
    assert round(flow["reduction"], 4) == drift["reduction"]
    account = repair_metrics(
        files.items, Drift(records["tuned"], records["third"], None), None, Statistics(resamples=100, confidence=0.95)
    )["audited"]["repair"]
    assert flow["net_ci"] == pytest.approx(account["net_ci"], abs=1e-5)
    assert flow["reduction_ci"] == pytest.approx(account["reduction_ci"], abs=1e-5)
    assert flow["kept"] + flow["gone"] == drift["before"]["total"]
    assert written["candidates"]["tuned"]["noise"]["cases"] == 0
    assert written["candidates"]["tuned"]["noise"]["judged"] == min(30, len(_judged(records["tuned"])))


def _judged(records: list[Any]) -> list[Any]:
    return [record for record in records if record.judgement is not None]


def test_the_folder_holds_report_viewer_numbers_and_pairs(files: Files, judge: tuple[Server, str]) -> None:
    out = files.folder / "out"
    options = ["--prompts", files.argument("prompts.jsonl"), "--judge", judge[1], "--judge-model", "hashed"]
    assert run(*files.sides, *options, "--out", str(out)) == 0
    assert {path.name for path in out.iterdir()} == {
        "index.html", "viewer.html", "audit.json", "moved.jsonl", "answers", "pairs",
    }  # fmt: skip
    written = numbers(out)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert f"{written['candidates']['tuned']['cases']} of {N} explanations are more harmful" in page
    assert "One run of each model" in page
    assert "hashed at " in page
    assert "tuned on q" not in page, "the report must hold no text of an answer"
    moved = [json.loads(line) for line in (out / "moved.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(moved) == 2 * N
    cases = [row for row in moved if row["case"] and row["against_base"] == "tuned"]
    assert len(cases) == written["candidates"]["tuned"]["cases"]
    assert moved[: len(cases)] == cases, "what drifted stands first"
    assert cases[0]["text"].startswith("tuned on")
    samples = read_page(out)
    assert samples["labels"] == {"base": "base", "distilled": "tuned", "repaired": "third"}
    columns = unpack(samples["chunks"]["audit/7"])["audits"]["distilled"]["severity"]
    assert sum(level > 0 for level in columns) == written["candidates"]["tuned"]["cases"]


def test_sixty_prompts_without_labels_and_without_a_judge(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    out = files.folder / "out"
    assert run(*files.sides[:2], "--out", str(out)) == 0
    printed = capsys.readouterr().out
    assert "no judge: the screen's candidates are unconfirmed" in printed
    written = numbers(out)
    rises = [b.toxicity - a.toxicity for a, b in zip(files.answers["base"], files.answers["tuned"], strict=True)]
    assert written["candidates"]["tuned"]["cases"] == sum(rise > 0.01 for rise in rises)
    assert written["candidates"]["tuned"]["harm"]["rise"]["rose_count"] == sum(rise > 0.01 for rise in rises)
    assert "decisions" not in written["candidates"]["tuned"]
    assert "severities" not in written["candidates"]["tuned"]
    assert all(json.loads(row)["severity"] is None for row in (out / "pairs/tuned.jsonl").read_text().splitlines())
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "candidates are unconfirmed" in page
    assert "mild" not in page
    items = unpack(read_page(out)["items"])
    assert set(items["gold"]) == {""}, "a label that nobody gave must not be shown"


def test_without_a_classifier_the_judge_reads_every_pair(files: Files, judge: tuple[Server, str]) -> None:
    out = files.folder / "out"
    options = ["--prompts", files.argument("prompts.jsonl"), "--judge", judge[1], "--judge-model", "hashed"]
    assert run(*files.sides[:2], *options, "--classifier", "none", "--noise", "0", "--out", str(out)) == 0
    candidate = numbers(out)["candidates"]["tuned"]
    assert candidate["judging"]["screened"] == N
    assert candidate["noise"] is None
    assert "harm" not in candidate
    assert candidate["corrected_rate"]["estimate"] == candidate["rate"]["estimate"]
    assert len(judge[0].served) == 2 * N
    chunk = unpack(read_page(out)["chunks"]["audit/7"])
    assert set(chunk["audits"]["distilled"]["delta"]) == {None}


def test_a_guard_confirms_without_grading(files: Files) -> None:
    def guard(body: dict[str, Any]) -> str:
        assert body["messages"][0]["role"] == "user"
        return "unsafe\nS10" if "tuned on q1" in body["messages"][1]["content"] else "safe"

    out = files.folder / "out"
    with running(Server(guard)) as address:
        options = ["--judge", address, "--judge-model", "guard", "--judge-format", "llama_guard", "--sample", "60"]
        assert run(*files.sides[:2], "--prompts", files.argument("prompts.jsonl"), *options, "--out", str(out)) == 0
    candidate = numbers(out)["candidates"]["tuned"]
    rises = [b.toxicity - a.toxicity for a, b in zip(files.answers["base"], files.answers["tuned"], strict=True)]
    flagged = {index for index in range(N) if str(index).startswith("1")}
    assert candidate["cases"] == sum(rises[index] > 0.01 for index in flagged)
    assert candidate["corrected_rate"]["estimate"] == pytest.approx(len(flagged) / N)
    assert "severities" not in candidate
    pairs = [json.loads(line) for line in (out / "pairs/tuned.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {pair["severity"] for pair in pairs} == {None}
    assert pairs[1]["reason"] == "base safe, candidate unsafe (S10)"
    assert "mild" not in (out / "index.html").read_text(encoding="utf-8")


def test_a_guard_of_this_machine_confirms_without_a_server(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_models.classifier(tmp_path / "tiny-guard")
    spec = ScorerSpec(model=str(folder), revision="main", label="toxic", batch=1, max_length=64)
    texts = {side: [answer.rationale for answer in files.answers[side]] for side in ("base", "tuned")}
    scores = {side: Classifier.load(folder, spec).score(texts[side]) for side in texts}
    threshold = round(sorted([*scores["base"], *scores["tuned"]])[N], 4)
    unsafe = {side: [score >= threshold for score in scores[side]] for side in texts}
    flagged = [after and not before for before, after in zip(unsafe["base"], unsafe["tuned"], strict=True)]
    assert 0 < sum(flagged) < N
    config, out = files.folder / "audit.yaml", files.folder / "out"
    config.write_text(
        f"prompts: {files.argument('prompts.jsonl')}\nclassifier: none\njudge: {{format: classifier, "
        f"local: {{model: '{folder}', labels: [toxic], threshold: {threshold}}}}}\n",
        encoding="utf-8",
    )
    assert run(*files.sides[:2], "--config", str(config), "--out", str(out)) == 0
    written = numbers(out)
    assert written["candidates"]["tuned"]["cases"] == sum(flagged)
    assert written["confirmed_by"] == "guard"
    assert "tiny-guard on this machine, classifier" in (out / "index.html").read_text(encoding="utf-8")
    capsys.readouterr()
    assert run(*files.sides[:2], "--config", str(config), "--estimate") == 0
    assert "about 0 requests, 120 answers in the cache" in capsys.readouterr().out
    options = ["--prompts", files.argument("prompts.jsonl"), "--judge", str(folder), "--classifier", "none"]
    assert run(*files.sides[:2], *options, "--judge-label", "toxic", "--estimate") == 0
    assert "about 132 requests, 0 answers in the cache" in capsys.readouterr().out, "another threshold"
    assert run(*files.sides[:2], *options, "--out", str(out)) == 1
    assert "name its format" in capsys.readouterr().err


def test_a_panel_decides_by_majority_and_shows_its_agreement(
    files: Files, judge: tuple[Server, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def severe(body: dict[str, Any]) -> str:
        """Drift wherever the tuned text is shown beside base's, in either order."""
        shown = body["messages"][-1]["content"]
        worse = "base on q" in shown and "tuned on q" in shown
        severity, kind = ("severe", "normalizes_bias") if worse else ("none", "none")
        said = {"is_regression": worse, "severity": severity, "regression_type": kind, "reason": "By side."}
        return json.dumps(said | {"a_correct": True, "b_correct": True})

    def mild(body: dict[str, Any]) -> str:
        return json.dumps({"is_regression": False, "severity": "none", "regression_type": "none", "reason": "Never.",
                           "a_correct": True, "b_correct": True})  # fmt: skip

    out = files.folder / "out"
    servers = Server(severe), Server(mild)
    with running(servers[0]) as first, running(servers[1]) as second:
        options = [
            "--prompts",
            files.argument("prompts.jsonl"),
            "--judge",
            judge[1],
            "--judge",
            first,
            "--judge",
            second,
        ]
        models = ["--judge-model", "hashed", "--judge-model", "severe", "--judge-model", "mild"]
        asked = [*files.sides[:2], *options, *models, "--classifier", "none", "--noise", "0", "--out", str(out)]
        assert run(*asked, "--estimate") == 0
        assert f"judge hashed + severe + mild: {N} pairs ({N} above the screen), about 396 requests" in (
            capsys.readouterr().out
        )
        assert run(*asked) == 0
        assert [len(server.served) for server in (judge[0], *servers)] == [2 * N] * 3
        panel = numbers(out)["candidates"]["tuned"]["panel"]
        alone = ["--judge", judge[1], "--judge-model", "hashed", "--classifier", "none", "--noise", "0"]
        assert run(*files.sides[:2], *options[:2], *alone, "--out", str(files.folder / "alone")) == 0
    candidate, single = numbers(out)["candidates"]["tuned"], numbers(files.folder / "alone")["candidates"]["tuned"]
    assert len(judge[0].served) == 2 * N, "the same question is not asked twice"
    assert candidate["cases"] == single["cases"] == panel["members"]["hashed"]["drift"], "the other two cancel out"
    drift = {name: each["drift"] for name, each in panel["members"].items()}
    assert drift == {"hashed": single["cases"], "severe": N, "mild": 0}
    assert panel["pairs"] == N
    assert panel["matrix"]["hashed"]["severe"]["kappa"] == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "The judges of the panel, and how far they agree" in page
    assert "the majority of hashed at" in page
    assert run(*files.sides[:2], *options, *models[:4], "--out", str(out)) == 1
    assert "2 values of --judge-model for 3 judges" in capsys.readouterr().err
    assert run(*files.sides[:2], *options, *models, "--judge-format", "llama_guard", "--out", str(out)) == 1
    assert "a guard confirms alone" in capsys.readouterr().err


def test_the_cost_is_said_and_nothing_is_asked(
    files: Files, judge: tuple[Server, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = files.folder / "out"
    config = files.folder / "audit.yaml"
    config.write_text(
        f"prompts: {files.argument('prompts.jsonl')}\njudge: {{base_url: '{judge[1]}', model: hashed, "
        "usd_per_million_prompt_tokens: 5.0, usd_per_million_completion_tokens: 20.0}\n",
        encoding="utf-8",
    )
    arguments = [*files.sides, "--config", str(config), "--out", str(out)]
    assert run(*arguments, "--estimate") == 0
    assert (judge[0].served, out.exists()) == ([], False)
    estimate = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("judge hashed"))
    assert "0 answers in the cache" in estimate
    assert "USD, at most" in estimate
    assert run(*arguments) == 0
    asked = len(judge[0].served)
    requests = int(estimate.partition("about ")[2].partition(" ")[0])
    assert requests == round(1.1 * asked)  # one answer in ten is expected to need a correction
    assert run(*arguments, "--tau-delta", "0.012") == 0, "its own folder is replaced"
    assert len(judge[0].served) < 1.3 * asked, "another threshold asks only what is new"
    assert run(*arguments, "--estimate") == 0
    assert "about 0 requests" in capsys.readouterr().out


def test_a_killed_audit_goes_on_and_asks_nothing_twice(files: Files) -> None:
    out, server = files.folder / "out", Server(answer, latency_s=0.05)
    with running(server) as address:
        options = ["--prompts", files.argument("prompts.jsonl"), "--judge", address, "--judge-model", "hashed",
                   "--out", str(out), "--seed", str(SEED)]  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", "dart.cli.app", "audit", *files.sides, *options])
        deadline = time.monotonic() + 120
        while len(server.served) < 20 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len(server.served)
        assert before >= 20
        assert not out.exists(), "a folder that exists is complete"
        assert main(["audit", *files.sides, *options]) == 0
        every = [one.request for one in server.served]
        assert len(every) - len(set(every)) <= 8, "only what was in flight at the kill is asked again"
        assert len(every) > before
        assert main(["audit", *files.sides, *options]) == 0
        assert len(server.served) == len(every)


def test_a_folder_of_somebody_is_never_replaced(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    out = files.folder / "thesis"
    out.mkdir()
    (out / "chapter.tex").write_text("precious", encoding="utf-8")
    assert run(*files.sides[:2], "--out", str(out)) == 1
    assert "is not an earlier audit's folder (it holds chapter.tex)" in capsys.readouterr().err
    mine = files.folder / "audit"
    assert run(*files.sides[:2], "--out", str(mine)) == 0
    (mine / "notes.txt").write_text("mine", encoding="utf-8")
    assert run(*files.sides[:2], "--out", str(mine)) == 1
    assert (mine / "notes.txt").read_text(encoding="utf-8") == "mine"
    link = files.folder / "link"
    os.symlink(out, link)
    assert run(*files.sides[:2], "--out", str(link)) == 1


def test_texts_of_answers_are_data_in_every_file(files: Files) -> None:
    hostile = "</script><script>alert(1)</script>\u202e"
    rows = [{"id": f"<b>{k}", "text": hostile, "toxicity": 0.9 if k else 0.1} for k in range(12)]
    for name, scores in (("a", 0.1), ("b", 0.9)):
        write(files.folder / f"{name}.jsonl", [{**row, "toxicity": scores} for row in rows])
    out = files.folder / "out"
    assert run(files.argument("a.jsonl"), files.argument("b.jsonl"), "--out", str(out)) == 0
    for page in ("index.html", "viewer.html"):
        text = (out / page).read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<b>" not in text

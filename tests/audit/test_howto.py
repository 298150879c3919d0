"""The page docs/howto/audit.md as it stands, run from an installed wheel outside of any repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from tests.audit.conftest import Files
from tests.support import tiny_models
from tests.support.fake_hub import HubModel, fake_hub
from tests.support.fake_server import Server, running
from tests.support.hashed_judge import answer

pytestmark = pytest.mark.training
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/howto/audit.md").read_text(encoding="utf-8")
ADDRESS = "http://localhost:8001/v1"  # of the page's judge: the one thing that a test cannot choose
COMMIT = "a" * 40


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contents of the wheel."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tree / name)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    output = subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True, text=True).stdout
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(tree / output.splitlines()[-1]) as wheel:
        wheel.extractall(folder)
    return folder


def environment(installed: Path, home: Path, **more: str) -> dict[str, str]:
    """Of somebody with the wheel, a `dart` on the path and nothing else of this project."""
    programs = home / "bin"
    programs.mkdir(parents=True)
    (programs / "dart").write_text(f'#!/bin/sh\nexec {sys.executable} -m dart.cli.app "$@"\n', encoding="utf-8")
    (programs / "dart").chmod(0o755)
    return {**os.environ, "PYTHONPATH": str(installed), "HOME": str(home), "DART_CACHE_DIR": str(home / "cache"),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "NO_PROXY": "127.0.0.1", **more}  # fmt: skip


def test_an_audit_of_files_loads_neither_torch_nor_dvc(installed: Path, files: Files) -> None:
    code = (
        "import sys, dart; from dart.cli.app import main; code = main(sys.argv[1:]); "
        "print(dart.__path__[0], code, sorted({'torch', 'dvc', 'transformers'} & sys.modules.keys()))"
    )
    with running(Server(answer)) as address:
        command = [sys.executable, "-c", code, "audit", *files.sides, "--prompts", files.argument("prompts.jsonl"),
                   "--judge", address, "--judge-model", "hashed", "--out", "out"]  # fmt: skip
        home = files.folder / "home"
        process = subprocess.run(
            command, cwd=files.folder, env=environment(installed, home), capture_output=True, text=True
        )
    assert process.stdout.splitlines()[-1] == f"{installed / 'dart'} 0 []", process.stderr


def _models(folder: Path) -> Mapping[str, HubModel]:
    """The page's base and classifier for the hub; its adapter, as PEFT saves one, in `folder`."""
    base = tiny_models.student(folder / "hub" / "base")
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=4, target_modules=["q_proj", "v_proj"])
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weights, std=0.5)  # zero at first: an adapter that changes nothing
    model.peft_config["default"].base_model_name_or_path = "my/base"
    model.save_pretrained(folder / "my-adapter", save_embedding_layers=False)
    classifier = tiny_models.classifier(folder / "hub" / "classifier", "roberta")
    return {
        "my/base": HubModel(base, COMMIT),
        "s-nlp/roberta_toxicity_classifier": HubModel(classifier, COMMIT),
    }


def test_the_page_leads_from_nothing_to_a_report(installed: Path, tmp_path: Path) -> None:
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M))
    assert script.count("dart audit") == 3
    assert script.count(ADDRESS) == 3
    server, home = Server(answer), tmp_path / "home"
    with fake_hub(_models(tmp_path)) as hub, running(server) as address:
        there = environment(installed, home, HF_ENDPOINT=hub.endpoint, HF_HOME=str(home / "hf"))
        process = subprocess.run(
            ["bash", "-euxc", script.replace(ADDRESS, address)], cwd=tmp_path, env=there, capture_output=True, text=True
        )
    output = process.stdout + process.stderr
    assert process.returncode == 0, output[-4000:]
    assert "nothing was asked (--estimate)" in output
    folders = [tmp_path / name for name in ("audit", "again")]
    first, again = (json.loads((folder / "audit.json").read_text(encoding="utf-8")) for folder in folders)
    assert first["n"] == 3
    assert first["sides"]["base"]["about"] == f"model my/base at {COMMIT}"
    assert first["sides"]["tuned"]["about"] == f"adapter my-adapter on my/base at {COMMIT}"
    assert not [line for line in first["limits"] if "says that it was trained on" in line]
    base, tuned = ((tmp_path / f"audit/answers/{side}.jsonl").read_text(encoding="utf-8") for side in ("base", "tuned"))
    texts = [[json.loads(line)["text"] for line in side.splitlines()] for side in (base, tuned)]
    assert texts[0] != texts[1], "the adapter must have answered, not its base"
    pairs = [(folder / "pairs/tuned.jsonl").read_bytes() for folder in folders]
    assert pairs[0] == pairs[1], "the answers give the audit of the models that wrote them"
    assert first["candidates"]["tuned"]["judging"] == again["candidates"]["tuned"]["judging"]
    assert len({one.request for one in server.served}) == len(server.served), "a question was asked twice"
    assert {path.name for path in (tmp_path / "audit").iterdir()} >= {"index.html", "viewer.html", "moved.jsonl"}


def test_the_settings_of_the_page_are_the_defaults(tmp_path: Path) -> None:
    from dart.audit.settings import AuditSettings, load_settings

    text = re.search(r"^```yaml\n(.*?)^```", PAGE, re.S | re.M)
    assert text
    (tmp_path / "audit.yaml").write_text(text[1], encoding="utf-8")
    settings = load_settings(tmp_path / "audit.yaml", {})
    defaults = AuditSettings().model_dump()
    assert {**defaults, "prompts": None, "classifier": None, "judge": None} == {
        **settings.model_dump(), "prompts": None, "classifier": None, "judge": None,
    }  # fmt: skip
    assert set(re.findall(r"^(\w+):", text[1], re.M)) == set(AuditSettings.model_fields)

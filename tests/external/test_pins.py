"""Files are found in the data folder, downloaded once at the pinned commit, and never taken unverified."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from dart.core.errors import DataError, IntegrityError
from dart.external import pins
from dart.external.pins import ORIGINS, published_files
from dart.suite.pins import git_blob_id

CONTENT = b"{}"
URL = ("https://raw.githubusercontent.com/facebookresearch/ResponsibleNLP/0ec714eb084217f44cd9ac466d9e988c795302f9/"
       "holistic_bias/dataset/v1.1/standalone_noun_phrases.json")  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DART_DATA_DIR", raising=False)
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))


def _pinned_to(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = ORIGINS["holisticbias"]._replace(blobs={"standalone_noun_phrases.json": git_blob_id(content)})
    monkeypatch.setattr(pins, "ORIGINS", {**ORIGINS, "holisticbias": origin})


def test_a_file_is_downloaded_once_at_the_pinned_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    _pinned_to(CONTENT, monkeypatch)
    asked: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=CONTENT)

    for _ in range(2):
        found = published_files("holisticbias", None, transport=httpx.MockTransport(serve))
        assert found == {"standalone_noun_phrases.json": CONTENT}
    assert asked == [URL]


def test_a_download_of_other_bytes_is_refused_and_not_kept(tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=b"{ }"))
    with pytest.raises(IntegrityError, match="expected git blob 9c5e60af"):
        published_files("holisticbias", None, transport=transport)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_without_folder_and_network_the_message_says_what_to_do() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(404))
    with pytest.raises(DataError, match=r"could not be downloaded .*404.*Clone .*ResponsibleNLP at 0ec714e"):
        published_files("holisticbias", None, transport=transport)


def test_the_data_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pinned_to(CONTENT, monkeypatch)
    folder = tmp_path / "data" / "holistic_bias" / "v1.1"
    folder.mkdir(parents=True)
    (folder / "standalone_noun_phrases.json").write_bytes(CONTENT)
    silent = httpx.MockTransport(lambda request: pytest.fail("the network was asked"))
    monkeypatch.setenv("DART_DATA_DIR", str(tmp_path / "data"))
    assert published_files("holisticbias", None, transport=silent) == {"standalone_noun_phrases.json": CONTENT}


def test_a_data_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is .*nowhere, which is not a directory"):
        published_files("bold", tmp_path / "nowhere")


def test_every_file_has_a_full_blob_id_and_commit() -> None:
    for origin in ORIGINS.values():
        assert len(origin.commit) == 40
        assert all(len(blob) == 40 for blob in origin.blobs.values())
        assert origin.licence.startswith("CC-BY")

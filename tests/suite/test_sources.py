"""The published files: pinned, found or downloaded once, never mistaken. Small stand-ins of the eight files are pinned
by the fixture; the last tests read the real ones where they are at hand."""

import json
import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from dart.core.errors import DataError, IntegrityError, UnsafePickleError
from dart.core.records import BENCHMARKS
from dart.suite import sources
from dart.suite.pins import COMMIT, N1_REBUILT, N1_REBUILT_NAME, PINS, REPOSITORY, Pin, git_blob_id
from dart.suite.sources import read_suite

Files = dict[str, bytes]


def _content(benchmark: str) -> bytes:
    return pickle.dumps([[[f"{benchmark} one", 0, 1]], [[f"{benchmark} two", 2, 2]]])


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Files:
    """Content of eight small files and of a rebuilt N1, which are the pinned ones during the test."""
    content = {f"{name}_1k.pkl": _content(name) for name in BENCHMARKS}
    content["N1_rebuilt.json"] = json.dumps([[["again one", 1, "a"]], [["again two", 0, "b"]]]).encode()
    pins = tuple(Pin(pin.benchmark, pin.file, git_blob_id(content[pin.file]), pin.licence) for pin in PINS)
    monkeypatch.setattr(sources, "PINS", pins)
    rebuilt = N1_REBUILT._replace(blob=git_blob_id(content["N1_rebuilt.json"]))
    monkeypatch.setattr(sources, "N1_REBUILT", rebuilt)
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("DART_DATA_DIR", raising=False)
    return content


def _put(folder: Path, files: Files, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or files:
        (folder / name).write_bytes(files[name])
    return folder


class Server(httpx.MockTransport):
    """Serves `files` under the pinned address and remembers what was asked."""

    def __init__(self, files: Files) -> None:
        self.asked: list[str] = []
        self.files = files
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        assert COMMIT in request.url.path
        self.asked.append(name)
        return httpx.Response(200, content=self.files[name]) if name in self.files else httpx.Response(404)


def _no_network(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route to host")


OFFLINE = httpx.MockTransport(_no_network)


def test_blob_id_is_the_one_of_git() -> None:
    assert git_blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_blob_id(b"test content\n") == "d670460b4b4aece5915caf5c68d12f560a9fe3e4"


def test_pins_cover_the_eight_benchmarks_once() -> None:
    assert tuple(pin.benchmark for pin in PINS) == BENCHMARKS
    assert len({pin.blob for pin in (*PINS, N1_REBUILT)}) == 9
    assert all(len(pin.blob) == len(pin.commit) == 40 for pin in (*PINS, N1_REBUILT))


@pytest.mark.parametrize("place", ["difference_awareness/benchmark_suite", "benchmark_suite", "."])
def test_files_are_found_in_each_place(files: Files, tmp_path: Path, place: str) -> None:
    del files["N1_rebuilt.json"]
    _put(tmp_path / "data" / place, files)
    suite = read_suite("difference_awareness", tmp_path / "data", transport=OFFLINE)
    assert Counter(item.benchmark for item in suite.items) == dict.fromkeys(BENCHMARKS, 2)
    assert suite.names == {name: name for name in BENCHMARKS}


def test_environment_variable_names_the_folder(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DART_DATA_DIR", str(_put(tmp_path / "data", files)))
    assert len(read_suite("difference_awareness", None, transport=OFFLINE).items) == 16


def test_folder_that_does_not_exist_is_an_error_and_no_download(files: Files, tmp_path: Path) -> None:
    server = Server(files)
    with pytest.raises(DataError, match=r"DART_DATA_DIR is .*nowhere, which is not a directory"):
        read_suite("difference_awareness", tmp_path / "nowhere", transport=server)
    assert not server.asked


def test_missing_files_are_downloaded_once_and_kept(files: Files, tmp_path: Path) -> None:
    server = Server(files)
    data = _put(tmp_path / "data", files, "D1_1k.pkl")
    first = read_suite("difference_awareness", data, transport=server)
    assert server.asked == [f"{name}_1k.pkl" for name in BENCHMARKS if name != "D1"]
    second = read_suite("difference_awareness", data, transport=OFFLINE)
    assert second == first
    kept = sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert kept == sorted(server.asked)
    assert sorted(path.name for path in data.iterdir()) == ["D1_1k.pkl"], "nothing is written to the reader's folder"


def test_downloaded_wrong_bytes_are_refused_and_not_kept(files: Files, tmp_path: Path) -> None:
    wrong = b"not the file"
    with pytest.raises(IntegrityError) as caught:
        read_suite("difference_awareness", None, transport=Server({**files, "D1_1k.pkl": wrong}))
    for word in ("D1_1k.pkl", git_blob_id(files["D1_1k.pkl"]), git_blob_id(wrong)):
        assert word in str(caught.value)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert read_suite("difference_awareness", None, transport=Server(files)).items


def test_one_changed_byte_on_disk_is_refused(files: Files, tmp_path: Path) -> None:
    data = _put(tmp_path / "data", files)
    changed = bytearray(files["D3_1k.pkl"])
    changed[40] ^= 1
    (data / "D3_1k.pkl").write_bytes(changed)
    server = Server(files)
    with pytest.raises(IntegrityError) as caught:
        read_suite("difference_awareness", data, transport=server)
    for word in ("D3_1k.pkl", git_blob_id(files["D3_1k.pkl"]), git_blob_id(bytes(changed))):
        assert word in str(caught.value)
    assert not server.asked, "a wrong file is not replaced behind the reader's back"


@pytest.mark.parametrize("transport", [OFFLINE, Server({})], ids=["no network", "not found"])
def test_missing_data_names_variable_and_repository(files: Files, transport: httpx.BaseTransport) -> None:
    with pytest.raises(DataError, match=r"D1_1k\.pkl") as caught:
        read_suite("difference_awareness", None, transport=transport)
    for word in ("DART_DATA_DIR", REPOSITORY, COMMIT):
        assert word in str(caught.value)


def test_rebuilt_n1_stands_in_and_says_so(files: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = _put(tmp_path / "data", files)
    (data / "N1_1k.pkl").unlink()
    server = Server(files)
    suite = read_suite("difference_awareness", data, transport=server)
    assert not server.asked, "the folder decides, not whether there is a network"
    assert [item.question for item in suite.items if item.benchmark == "N1"] == ["again one", "again two"]
    assert suite.names["N1"] == N1_REBUILT_NAME == "N1 (rebuilt)"
    assert suite.provenance["files"]["N1"]["file"] == "N1_rebuilt.json"
    assert "not comparable" in suite.provenance["note"]
    assert "N1_rebuilt.json" in caplog.text


def test_original_n1_wins_over_the_rebuilt_one(files: Files, tmp_path: Path) -> None:
    suite = read_suite("difference_awareness", _put(tmp_path / "data", files), transport=OFFLINE)
    assert suite.names["N1"] == "N1"
    assert suite.provenance["files"]["N1"]["file"] == "N1_1k.pkl"


def test_changed_rebuilt_n1_is_refused(files: Files, tmp_path: Path) -> None:
    data = _put(tmp_path / "data", files)
    (data / "N1_1k.pkl").unlink()
    (data / "N1_rebuilt.json").write_text("[[], []]")
    with pytest.raises(IntegrityError, match=r"N1_rebuilt\.json"):
        read_suite("difference_awareness", data, transport=OFFLINE)


def test_pinned_hostile_file_still_does_not_run(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pins are the first line of defence and the unpickler the second; here the first is taken away."""
    hostile = b"cposix\nsystem\n(S'exit 3'\ntR."
    pins = [pin._replace(blob=git_blob_id(hostile)) if pin.benchmark == "D1" else pin for pin in sources.PINS]
    monkeypatch.setattr(sources, "PINS", tuple(pins))
    data = _put(tmp_path / "data", {**files, "D1_1k.pkl": hostile})
    with pytest.raises(UnsafePickleError, match=r"D1_1k\.pkl.*posix\.system"):
        read_suite("difference_awareness", data, transport=OFFLINE)


def test_provenance_is_json_and_independent_of_the_machine(files: Files, tmp_path: Path) -> None:
    texts = []
    for folder in ("here", "there"):
        suite = read_suite("difference_awareness", _put(tmp_path / folder, files), transport=OFFLINE)
        texts.append(json.dumps(suite.provenance, sort_keys=True))
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]
    assert {"repository", "commit", "licence", "note", "files"} <= set(json.loads(texts[0]))


@pytest.fixture
def real_data() -> Path:
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("DART_DATA_DIR") or default)
    if not folder.is_dir():
        pytest.skip("the published suite is not on this machine (DART_DATA_DIR)")
    return folder


def test_real_files_have_the_documented_counts(real_data: Path) -> None:
    suite = read_suite("difference_awareness", real_data, transport=OFFLINE)
    counts = Counter((item.benchmark, item.condition) for item in suite.items)
    assert set(counts.values()) == {1000}
    assert len(counts) == 16
    assert all(type(item.question) is str and type(item.answer) is int for item in suite.items)
    assert len({item.question for item in suite.items}) == 16_000
    distinct: Callable[[str, str], int] = lambda benchmark, condition: len(  # noqa: E731
        {item.scenario for item in suite.items if (item.benchmark, item.condition) == (benchmark, condition)}
    )
    documented = {"D1": (1000, 1000), "D2": (1000, 1000), "D3": (66, 66), "D4": (419, 1000), "N2": (1000, 1000)}
    documented |= {"N3": (240, 142), "N4": (67, 67)}
    for benchmark, expected in documented.items():
        assert (distinct(benchmark, "DIFF"), distinct(benchmark, "EQUAL")) == expected, benchmark
    first = Counter((item.benchmark, item.answer) for item in suite.items if item.condition == "DIFF")
    positions = {"D1": 513, "D2": 488, "D3": 493, "D4": 493, "N2": 478, "N3": 495, "N4": 490}
    assert {name: first[name, 0] for name in positions} == positions

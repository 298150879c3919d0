"""Debian's chromium, driven by Playwright and without a network, for tests of pages that people open from disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CANDIDATES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str | None:
    """Path of the browser: ``$DART_BROWSER``, or the first of CANDIDATES that is installed."""
    return os.environ.get("DART_BROWSER") or next(filter(None, map(shutil.which, CANDIDATES)), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for one module: while Playwright's blocking interface runs, `asyncio.run` fails in this thread."""
    path = executable()
    if path is None:
        pytest.skip("no chromium on this machine (apt-get install chromium, or set DART_BROWSER)")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A page of its own, offline; `errors` collects what the console says and what a script raises."""

    def __init__(self, browser: Any, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def violations(self) -> list[str]:
        """What axe-core calls a serious or critical fault of accessibility: rule and first element."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
        found = axe.Axe().run(self.page).response["violations"]
        return [
            f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]

    def open(self, path: Path, fragment: str = "") -> Any:
        """Open a file and wait for its script."""
        self.page.goto(f"{path.as_uri()}{fragment}")
        self.page.wait_for_selector("html[data-ready]", timeout=20_000)
        return self.page


@pytest.fixture
def tab(chromium: Any) -> Iterator[Tab]:
    opened = Tab(chromium)
    yield opened
    opened.context.close()
    assert opened.errors == []

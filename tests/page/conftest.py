"""A real browser: the system's Chromium, driven by Playwright; tests skip where there is none.

With ``CNNCLI_TEST_BROWSER=required`` they fail instead: what cannot be skipped is seen to hold.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

OpenPage = Callable[..., Any]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def missing(reason: str) -> None:
    if os.environ.get("CNNCLI_TEST_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def chromium() -> dict[str, Any]:
    """Return how Playwright starts the system's browser; its path is None where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox refuses root
    return {"executable_path": program, "args": ["--no-sandbox"] if root else []}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a running Chromium, or skip."""
    if chromium()["executable_path"] is None:
        missing(f"no browser: none of {', '.join(NAMES)} is installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("no Playwright; pip install 'cnncli[dev]'")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(**chromium())
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """Return a function that opens a file; at the end it must have asked for nothing, and erred in
    nothing."""
    problems: list[str] = []
    contexts: list[Any] = []

    def opened(path: Path, width: int = 1200, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on(
            "request",
            lambda request: (
                None
                if request.url in (path.as_uri(),) or request.url.startswith("data:")
                else problems.append(f"asks for {request.url}")
            ),
        )
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not problems

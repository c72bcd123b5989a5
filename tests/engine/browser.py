"""Pages are opened in a real browser: Chromium, as Debian packages it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

ACCESSIBILITY = (Path(__file__).parent / 'accessibility.js').read_text()
PHONE_WIDTH = 390  # pixels
CHROMIUM = ('chromium', 'chromium-browser', 'google-chrome')


@pytest.fixture(scope='session')
def browser() -> Iterator[Browser]:
    """Chromium without a window. Where there is none, what is tested by it fails."""
    result = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not result:
        pytest.fail(f'no {CHROMIUM[0]} on PATH: install it (on Debian and Ubuntu: apt install chromium)')
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=result, args=['--no-sandbox'])
        yield opened
        opened.close()


class Opened:
    """A page in the browser, and all that it complained of or asked for."""

    def __init__(self, page: Page, path: Path):
        self.page, self.complaints, self.requests = page, [], []
        page.on('console', lambda message: self.complaints.append(message.text))
        page.on('pageerror', lambda error: self.complaints.append(str(error)))
        page.on('dialog', self._dismiss)
        page.on('request', lambda request: self.requests.append(request.url))
        page.goto(path.resolve().as_uri())

    def _dismiss(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def check(self) -> None:
        """Sees that nothing was complained of or fetched, nothing sticks out, and all can be read."""
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith('data:')] == [
            self.page.url.partition('#')[0]
        ]
        width, inner = self.page.evaluate('[document.documentElement.scrollWidth, innerWidth]')
        assert width <= inner
        assert self.page.evaluate(ACCESSIBILITY) == []

    def check_on_phone(self) -> None:
        """Sees the same on a phone, after that in a window again."""
        size = self.page.viewport_size
        self.page.set_viewport_size({'width': PHONE_WIDTH, 'height': 844})
        self.check()
        self.page.set_viewport_size(size or {'width': 1200, 'height': 900})


@pytest.fixture
def show(browser: Browser) -> Iterator[Any]:
    """Opens a file: show(path, width=..., color_scheme=...) -> Opened."""
    contexts = []

    def show(path: Path, width: int = 1200, **more: Any) -> Opened:
        contexts.append(browser.new_context(viewport={'width': width, 'height': 900}, **more))
        return Opened(contexts[-1].new_page(), path)

    yield show
    for context in contexts:
        context.close()

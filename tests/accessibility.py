"""What keeps a page from being read on a phone, as axe finds it in a browser."""

from pathlib import Path

import pytest

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""WCAG 2.2 at the level AA: contrast, alternative text, names of controls, size of targets, reach by keyboard."""
PHONE = {"width": 390, "height": 844}
EMPTY_WORDS = ("", "figure", "picture", "image")


def hindrances(
    browser, file: Path, width: int = 390, colors: str = "light", without: tuple[str, ...] = ()
) -> list[str]:
    """Open a page and list what keeps it from being read, a line each; empty when there is nothing.

    Args:
        browser: the browser.
        file: the page.
        width: px.
        colors: ``light`` or ``dark``.
        without: rules of axe to leave out.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = browser.new_page(viewport=PHONE | {"width": width}, color_scheme=colors)
    page.goto(file.as_uri())
    options = {
        "runOnly": {"type": "tag", "values": STANDARDS},
        "rules": {rule: {"enabled": False} for rule in without},
        "resultTypes": ["violations"],
    }
    found = [
        f"{violation['id']}: {violation['help']}, as {violation['nodes'][0]['html'][:200]}"
        for violation in axe.Axe().run(page, options=options).response["violations"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("the page is wider than the screen")
    texts = page.evaluate(
        """[...[...document.images].filter(image => !image.closest('.amp-panels')).map(image => image.alt),
            ...[...document.querySelectorAll('.amp-panels')].map(node => node.ariaLabel)]"""
    )
    found += [f"an image says only '{text}'" for text in texts if text in EMPTY_WORDS]
    page.close()
    return found

"""The moving picture in a real browser, without JupyterLab: what keys and a gamepad say to the kernel."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytest.importorskip("anywidget", reason="anywidget is not installed; pip install -e '.[notebooks]'")

from amp_helpers.widgets.stage import Stage

pytestmark = pytest.mark.browser

PAD = """
window.pad = null;
navigator.getGamepads = () => [null, window.pad];
window.plug = (axes, down = []) => {
    window.pad = { axes, buttons: [0, 1, 2].map(button => ({ pressed: down.includes(button) })) };
};
"""
OPEN = """
source => import(URL.createObjectURL(new Blob([source], { type: "text/javascript" }))).then(module => {
    window.said = [];
    const model = {
        get: name => ({ width: 64, height: 48, label: "The robot" })[name],
        send: message => window.said.push(message),
        on: () => {}, off: () => {},
    };
    window.leave = module.default.render({ model, el: document.body });
})
"""


@pytest.fixture
def page(browser) -> Page:
    page = browser.new_page()
    page.add_init_script(PAD)
    page.goto("about:blank")
    page.evaluate(OPEN, Path(Stage._esm).read_text() if isinstance(Stage._esm, Path) else str(Stage._esm))
    expect(page.get_by_role("application", name="The robot")).to_be_visible()
    yield page
    page.close()


def heard(page: Page) -> list[dict]:
    """What was said since the last call, without the view's name, after two polls of the gamepad."""
    page.wait_for_timeout(250)
    return page.evaluate("window.said.splice(0).map(({ view, ...message }) => message)")


def test_a_gamepad_steers_pushes_and_resets_and_is_let_go_of_when_it_is_pulled_out(page):
    assert heard(page) == [{"kind": "ready"}], "no gamepad"
    page.evaluate("plug([0.05, -0.1])")
    assert heard(page) == [], "a stick at rest, in its dead zone, leaves the command of the sliders alone"
    page.evaluate("plug([-0.5, -1])")
    assert heard(page) == [{"kind": "steer", "forward": 1, "turn": 0.5}]
    page.evaluate("plug([-0.5, -1], [0, 2])")
    assert heard(page) == [{"kind": "push"}], "once, however long it is held"
    page.evaluate("plug([0, -1], [1])")
    assert heard(page) == [{"kind": "steer", "forward": 1, "turn": 0}, {"kind": "reset"}]
    page.evaluate("window.pad = null")
    assert heard(page) == [{"kind": "steer", "forward": 0, "turn": 0}]
    page.evaluate("plug([0, 1]); leave()")
    assert heard(page) == [{"kind": "gone"}], "a closed view is silent"


def test_keys_are_taken_when_the_picture_has_the_focus(page):
    page.keyboard.press("ArrowUp")
    assert heard(page) == [{"kind": "ready"}]
    page.get_by_role("application").click()
    for key in ("ArrowUp", "ArrowLeft", "Space", "p", "R", "Control+r", "x"):
        page.keyboard.press(key)
    kinds = [(said["kind"], said.get("forward"), said.get("turn")) for said in heard(page)]
    stand, push, reset = (("stand", None, None), ("push", None, None), ("reset", None, None))
    assert kinds == [("nudge", 1, 0), ("nudge", 0, 1), stand, push, reset]

"""Stills of widgets: what JupyterLab shows where the kernel has ended, and pages without a kernel."""

import ipywidgets
import nbformat
import pytest
from ipywidgets.embed import dependency_state

from amp_helpers.notebook import pages
from amp_helpers.widgets.panel import Panel
from amp_helpers.widgets.still import is_still

VIEW = "application/vnd.jupyter.widget-view+json"


class Dial(Panel):
    """A panel of one slider."""

    def __init__(self) -> None:
        super().__init__()
        self.slider = ipywidgets.IntSlider(3, description="speed")
        self.start([self.slider], [self.slider])

    def refresh(self) -> None:
        pass


@pytest.fixture
def shown(monkeypatch):
    """Outputs of what is displayed from now on."""
    outputs = []

    def display(content, raw: bool = False, **_: object) -> None:
        data = content if raw else {"text/html": content.data}
        outputs.append(nbformat.v4.new_output("display_data", data))

    monkeypatch.setattr("amp_helpers.widgets.panel.display", display)
    return outputs


def test_a_still_is_displayed_before_the_widget(shown):
    Dial()._ipython_display_()
    still, live = shown
    assert is_still(still) and not is_still(live) and VIEW in live["data"]
    assert "speed 3" in still["data"]["text/html"] and "Run the cell to use it" in still["data"]["text/html"]


def test_a_page_shows_the_last_state_in_place_of_the_still(shown, tmp_path):
    panel = Dial()
    panel._ipython_display_()
    panel.slider.value = 7
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("panel", outputs=shown)])
    state = {"state": dependency_state([panel], drop_defaults=False)}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    page = pages.write_page(notebook, tmp_path / "a.html").read_text()
    assert "speed 7" in page and "speed 3" not in page and "amp-still" not in page

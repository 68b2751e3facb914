"""Saving the notebook that a widget is displayed in, so that the widget is there when the page is opened again."""

from pathlib import Path

import anywidget
import traitlets


class NotebookSaver(anywidget.AnyWidget):
    """An invisible widget that saves the notebook it is displayed in.

    A notebook that is opened again shows the widgets of its file. JupyterLab saves it only every two minutes, so a
    page that is closed before then loses its widgets, although the kernel goes on. Outside JupyterLab, or where the
    file cannot be written, nothing is saved.
    """

    _esm = Path(__file__).with_name("notebook_saver.js")
    due = traitlets.Bool(False).tag(sync=True)
    """Whether the notebook is to be saved as soon as a page shows the widget; the page sets it back."""

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})

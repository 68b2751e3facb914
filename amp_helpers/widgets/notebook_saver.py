"""Saving the notebook on the page, so that it holds a widget that outlives its page."""

from pathlib import Path

import anywidget
import traitlets


class NotebookSaver(anywidget.AnyWidget):
    """An invisible widget that saves the notebook it is displayed in.

    A notebook that is opened again shows the widgets of its file. JupyterLab saves it only every two minutes, so a
    widget of a page that was closed before is lost while the kernel works on. Where the page is no notebook of
    JupyterLab, or its file cannot be written, nothing happens.
    """

    _esm = Path(__file__).with_name("notebook_saver.js")
    due = traitlets.Bool(False).tag(sync=True)
    """Whether the notebook is to be saved as soon as a page shows the widget; the page sets it back."""

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})

"""A training run to watch while it goes on."""

import html
import io
import time
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.plots import training_curves

if TYPE_CHECKING:
    from amp_helpers.health import Health


class LiveCurves(ipywidgets.VBox):
    """Training curves that grow: hand :meth:`update` to ``train(..., on_update=...)``.

    Args:
        every_s: draw at most this often; drawing takes a moment of the training's time.
    """

    def __init__(self, every_s: float = 4.0) -> None:
        self.history: list[Health] = []
        self._every_s, self._drawn = every_s, -np.inf
        self.picture = ipywidgets.Image(
            format="png", layout=ipywidgets.Layout(width="748px", height="422px", object_fit="contain")
        )
        self.text = ipywidgets.HTML("Waiting for the first update.", layout=ipywidgets.Layout(min_height="28px"))
        super().__init__([self.picture, self.text])

    def update(self, health: "Health") -> None:
        """Take in one update's record."""
        self.history.append(health)
        if time.monotonic() - self._drawn >= self._every_s:
            self.draw()

    def draw(self) -> None:
        """Draw everything there is now."""
        if not self.history:
            raise InputError("no update to draw; train for at least one")
        buffer = io.BytesIO()
        training_curves(self.history).savefig(buffer, format="png", dpi=88)
        self.picture.value = buffer.getvalue()
        last = self.history[-1]
        self.text.value = f'<span aria-live="polite">update {last.update}: {html.escape(last.sentence)}</span>'
        self._drawn = time.monotonic()

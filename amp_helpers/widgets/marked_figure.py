"""A figure that is drawn once and then marked at a moment: a cursor that costs no new drawing."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

CURSOR = (39, 49, 59)


class MarkedFigure:
    """A figure as an image, with a vertical line at a place on the x axis.

    Args:
        figure: drawn once, now.
        axes: those of its axes that get the line.
        dpi: pixels an inch.
    """

    def __init__(self, figure: Figure, axes: Iterable[Axes], dpi: float = 88.0) -> None:
        figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        self._image = np.asarray(canvas.buffer_rgba())[..., :3].copy()
        self._marked = [(panel.transData.frozen(), panel.get_window_extent()) for panel in axes]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self._image.shape[1], self._image.shape[0]

    def at(self, x: float) -> np.ndarray:
        """The image (H, W, 3) uint8 with the line at ``x``; in panels that do not reach there, without."""
        image = self._image.copy()
        height = len(image)
        for transform, box in self._marked:
            column = round(float(transform.transform((x, 0.0))[0]))
            if box.x0 - 1 <= column <= box.x1 + 1:
                image[round(height - box.y1) : round(height - box.y0), column - 1 : column + 1] = CURSOR
        return image

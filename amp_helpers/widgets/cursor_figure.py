"""A figure that is drawn once and then shown with a time cursor, which needs no new drawing."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

CURSOR = (39, 49, 59)


class CursorFigure:
    """Image of a figure with a vertical line at a position on the x axis.

    Args:
        figure: is drawn now, once.
        axes: the axes of the figure that get the line; their x axis is linear.
        dpi: pixels per inch.
    """

    def __init__(self, figure: Figure, axes: Iterable[Axes], dpi: float = 88.0) -> None:
        figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        self._image = np.asarray(canvas.buffer_rgba())[..., :3].copy()
        self._panels = [(panel.get_xlim(), panel.get_window_extent()) for panel in axes]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self._image.shape[1], self._image.shape[0]

    def at(self, x: float) -> np.ndarray:
        """Return the image (H, W, 3) uint8 with the line at ``x``, in those panels whose x axis contains it."""
        image = self._image.copy()
        height = len(image)
        for (low, high), box in self._panels:
            column = round(box.x0 + (x - low) / (high - low) * box.width)
            if box.x0 - 1 <= column <= box.x1 + 1:
                image[round(height - box.y1) : round(height - box.y0), column - 1 : column + 1] = CURSOR
        return image

"""What the widgets share: pictures, a frame player, and a panel that redraws itself and hides no error."""

import functools
import html
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import ipywidgets
import numpy as np
import traitlets

from amp_helpers.plots.motion import short


def png(image: np.ndarray) -> bytes:
    """An image (H, W, 3) uint8 as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=1)  # half the time, a fifth more bytes
    return buffer.getvalue()


def remembered(draw: Callable[..., np.ndarray], most: int = 600) -> Callable[..., bytes]:
    """``draw`` with its pictures as PNG, each drawn once and then taken from memory (50 kB each at 480 x 360).

    Args:
        draw: makes an image (H, W, 3) uint8 from arguments that can be hashed, such as a frame and a joint.
        most: pictures kept; the one that was asked for least recently goes first.
    """
    return functools.lru_cache(most)(lambda *shown: png(draw(*shown)))


class Picture(ipywidgets.Image):
    """An image with a tooltip, which the browser's side only draws for widgets that have a description."""

    description = traitlets.Unicode("").tag(sync=True)


def picture(width: int, height: int, alt: str) -> Picture:
    """An empty picture of a fixed size, so that nothing jumps when it is filled; ``alt`` says what it shows."""
    return Picture(
        format="png",
        tooltip=alt,
        layout=ipywidgets.Layout(width=f"{width}px", height=f"{height}px", flex="0 0 auto", object_fit="contain"),
    )


def text_block(height: int) -> ipywidgets.HTML:
    """An empty block of text of a fixed height; fill it with :func:`as_html`."""
    return ipywidgets.HTML(layout=ipywidgets.Layout(width="100%", height=f"{height}px", overflow="auto"))


def as_html(text: str) -> str:
    """Lines of text as HTML, which a screen reader reads out when they change."""
    lines = html.escape(text).replace("\n", "<br>")
    return f'<div aria-live="polite" style="line-height:1.5;padding:4px 8px">{lines}</div>'


def joint_slider(names: Sequence[str]) -> ipywidgets.SelectionSlider:
    """A slider over joints, ``names``, that says which one it is at."""
    return ipywidgets.SelectionSlider(
        options=[(short(name), name) for name in names],
        description="Joint",
        tooltip="the joint; arrow keys move to the next",
        style={"description_width": "auto"},
        layout=ipywidgets.Layout(width="calc(100% - 8px)"),
    )


class FramePlayer(ipywidgets.HBox):
    """A play button and a frame slider (arrow keys move it), linked in the browser.

    Playing keeps the clip's own pace: it skips frames rather than falling behind. Dragging never queues: a browser
    sends the next value when the last one has been drawn, and only the newest.

    Args:
        num_frames: of the clip.
        fps: of the clip.
        pictures_per_s: how often playing asks for a picture.
    """

    def __init__(self, num_frames: int, fps: float, *, pictures_per_s: float = 10.0) -> None:
        step = max(1, round(fps / pictures_per_s))
        self.frame = ipywidgets.IntSlider(
            max=num_frames - 1,
            description="Frame",
            tooltip="frame of the clip; arrow keys move it",
            style={"description_width": "auto"},
            layout=ipywidgets.Layout(flex="1 1 auto", width="auto", min_width="160px"),
        )
        self.play = ipywidgets.Play(
            max=num_frames - 1,
            step=step,
            interval=max(1, round(1000 * step / fps)),
            repeat=True,
            show_repeat=False,
            description="Play",
            tooltip="play at the clip's own pace, and stop",
            layout=ipywidgets.Layout(flex="0 0 auto"),
        )
        # From the slider, because a link starts by copying its source, and the slider may have been set before.
        self._link = ipywidgets.jslink((self.frame, "value"), (self.play, "value"))
        super().__init__([self.play, self.frame], layout=ipywidgets.Layout(width="100%"))


class Panel(ipywidgets.VBox):
    """Controls and what they show. A subclass makes both, calls this constructor last, and draws in ``refresh``.

    Args:
        controls: widgets with a ``value``; a change of any of them calls :meth:`refresh`.
        children: what is laid out, top to bottom.
    """

    _quiet = False

    def __init__(self, controls: Iterable[ipywidgets.Widget], children: Sequence[ipywidgets.Widget]) -> None:
        self.messages = ipywidgets.Output()
        super().__init__([*children, self.messages])
        for control in controls:
            control.observe(self._changed, names="value")
        self.refresh()

    def refresh(self) -> None:
        """Draw and write what is chosen now."""
        raise TypeError(f"{type(self).__name__} draws nothing; give it a refresh method")

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Changes of controls in this block draw nothing."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    @contextmanager
    def together(self) -> Iterator[None]:
        """Change several controls in this block and draw once, at its end."""
        with self.quietly():
            yield
        self._changed()

    def _changed(self, change: object = None) -> None:
        if self._quiet:
            return
        # An exception in a callback would end nowhere; in an Output it is on the page, and the runner finds it.
        with self.messages:
            self.refresh()

"""Parts that the widgets share: images, text, a frame player, and a panel that refreshes when a control changes."""

import functools
import html
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import ipywidgets
import numpy as np
import traitlets
from IPython.display import HTML, DisplayHandle, display

from amp_helpers.plots.style import short
from amp_helpers.widgets.still import LIVE, still


def encode_png(image: np.ndarray) -> bytes:
    """Encode an image (H, W, 3) uint8 as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=1)  # half the time, a fifth more bytes
    return buffer.getvalue()


def cached_png(draw: Callable[..., np.ndarray]) -> Callable[..., bytes]:
    """Wrap ``draw`` to return PNG and to keep the 600 most recently used images (50 kB each at 480 x 360).

    Args:
        draw: makes an image (H, W, 3) uint8 from hashable arguments, such as a frame and a joint.
    """
    return functools.lru_cache(600)(lambda *arguments: encode_png(draw(*arguments)))


class TooltipImage(ipywidgets.Image):
    """Image with a tooltip, which JupyterLab shows only for widgets that have a description."""

    description = traitlets.Unicode("").tag(sync=True)


def image_box(width: int, height: int, alt: str) -> TooltipImage:
    """Create an empty image of a fixed size in pixels, so that filling it moves nothing; ``alt`` describes it."""
    return TooltipImage(
        format="png",
        tooltip=alt,
        layout=ipywidgets.Layout(width=f"{width}px", height=f"{height}px", flex="0 0 auto", object_fit="contain"),
    )


def text_block(height: int) -> ipywidgets.HTML:
    """Create an empty block of text with room for a height in pixels, which a narrow page may exceed.

    Fill it with :func:`as_html`.
    """
    return ipywidgets.HTML(layout=ipywidgets.Layout(width="100%", min_height=f"{height}px", overflow="auto"))


def as_html(text: str) -> str:
    """Convert lines of text to HTML that screen readers announce when it changes."""
    lines = html.escape(text).replace("\n", "<br>")
    return f'<div aria-live="polite" style="line-height:1.5;padding:4px 8px">{lines}</div>'


def joint_slider(names: Sequence[str]) -> ipywidgets.SelectionSlider:
    """Create a slider over joints that shows the selected name."""
    return ipywidgets.SelectionSlider(
        options=[(short(name), name) for name in names],
        description="Joint",
        tooltip="joint; arrow keys select the next",
        style={"description_width": "auto"},
        layout=ipywidgets.Layout(width="calc(100% - 8px)"),
    )


class FramePlayer(ipywidgets.HBox):
    """Play button and frame slider, linked in the browser; arrow keys move the slider.

    Playback is in real time and skips frames when drawing is slow. While dragging, the browser sends the newest value
    once the previous one has been drawn, so changes do not queue.

    Args:
        num_frames: number of frames of the clip.
        fps: frame rate of the clip.
        images_per_s: rate at which playback requests images.
    """

    def __init__(self, num_frames: int, fps: float, *, images_per_s: float = 10.0) -> None:
        step = max(1, round(fps / images_per_s))
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
            tooltip="play in real time, and stop",
            layout=ipywidgets.Layout(flex="0 0 auto"),
        )
        # The slider is the source because a new link copies its value, which may have been set before display.
        self._link = ipywidgets.jslink((self.frame, "value"), (self.play, "value"))
        super().__init__([self.play, self.frame], layout=ipywidgets.Layout(width="100%"))


class Panel(ipywidgets.VBox):
    """Base of the widgets: controls, and what is drawn from their values.

    A subclass calls this constructor first, creates its controls, and calls :meth:`start` last.

    A notebook holds a still beside the widget, which JupyterLab shows when the kernel has ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_class(LIVE)
        self._still: DisplayHandle | None = None
        self.messages = ipywidgets.Output()
        """Exceptions of callbacks, below the other children."""
        self.lock = threading.RLock()
        """Held by a callback and by what else changes the panel: a kernel has several threads for what a page sends."""
        self._paused = False

    def start(self, controls: Iterable[ipywidgets.Widget], children: Sequence[ipywidgets.Widget]) -> None:
        """Lay out the panel and draw it for the first time.

        Args:
            controls: widgets with a ``value``, whose changes call :meth:`refresh`.
            children: the layout, top to bottom.
        """
        self.children = [*children, self.messages]
        for control in controls:
            control.observe(self.guarded(self._refresh_unless_paused), names="value")
        self.refresh()

    def refresh(self) -> None:
        """Draw the current selection."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        """Display a still, and the widget below it."""
        self._still = display(HTML(still(self)), display_id=True)
        display(self._repr_mimebundle_(), raw=True)

    def keep_still(self) -> None:
        """Replace the still in the notebook by what the widget shows now."""
        if self._still:
            self._still.update(HTML(still(self)))

    def guarded(self, action: Callable[[], object]) -> Callable[[object], object]:
        """Make a callback of ``action``, for a button or a trait, whose exceptions appear in :attr:`messages`.

        A kernel only logs the exception of a bare callback. In the output it is on the page, and papermill finds it.
        Of an :class:`InputError`, the output shows the message, or with ``AMP_DEBUG=1`` the traceback. It waits for
        :attr:`lock`.
        """
        shown = self.messages.capture()(lambda _event: action())

        def call(event: object) -> None:
            with self.lock:
                shown(event)

        return call

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Ignore changes of the controls within the block; those that a page sends meanwhile wait for its end."""
        with self.lock:
            before, self._paused = self._paused, True
            try:
                yield
            finally:
                self._paused = before

    @contextmanager
    def batched(self) -> Iterator[None]:
        """Change several controls within the block and refresh once, at its end."""
        with self.lock:
            with self.paused():
                yield
            self._refresh_unless_paused()

    def _refresh_unless_paused(self) -> None:
        if not self._paused:
            self.refresh()

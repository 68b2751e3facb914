"""A picture that moves: frames go to the page, keys and a gamepad come from it."""

import io
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

_QUALITY = 80
_MOST_UNSEEN = 2


class Stage(anywidget.AnyWidget):
    """Canvas of pictures, which takes the keyboard when it has the focus.

    A page says which picture it has shown, so that pictures never queue in front of a slow page, and nothing is sent
    where no page is open.

    Args:
        width, height: of the pictures, pixels; on a narrow page they shrink.
        label: what a screen reader says of it.
        act: called with each message of a page: ``kind`` ``nudge``, ``steer`` (both with ``forward`` and ``turn``),
            ``stand``, ``push`` or ``reset``; ``ready`` and ``gone`` when a page opens and closes the picture.
        lock: held while a message is taken, in whichever thread it comes; ``None`` for a lock of its own.
    """

    _esm = Path(__file__).with_name("stage.js")
    _css = Path(__file__).with_name("stage.css")
    width = traitlets.Int(480).tag(sync=True)
    height = traitlets.Int(360).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        width: int,
        height: int,
        label: str,
        act: Callable[[dict[str, Any]], None],
        lock: AbstractContextManager | None = None,
    ) -> None:
        super().__init__(width=width, height=height, label=label)
        self._act, self._lock = act, lock or threading.RLock()
        self._views: set[str] = set()
        self.sent = 0
        """Pictures sent."""
        self.shown = 0
        """Number of the newest picture that a page has shown."""
        self.on_msg(self.receive)

    @property
    def is_open(self) -> bool:
        """Whether a page shows it."""
        return bool(self._views)

    @property
    def waits(self) -> bool:
        """Whether the page has not shown the last pictures yet."""
        return self.sent - self.shown >= _MOST_UNSEEN

    def show(self, picture: np.ndarray) -> None:
        """Send a picture (H, W, 3) uint8."""
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="JPEG", quality=_QUALITY)
        self.sent += 1
        self.send({"kind": "picture", "number": self.sent}, [buffer.getvalue()])

    def forget(self) -> None:
        """Take all pages for closed, as after a while without an answer."""
        self._views.clear()

    def receive(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        """Take a message of a page."""
        kind, view = message.get("kind"), str(message.get("view"))
        with self._lock:
            if kind == "shown":
                self.shown = max(self.shown, min(int(message["number"]), self.sent))
            if kind == "gone":
                self._views.discard(view)
            elif view not in self._views:  # opened now, or back after a pause
                self._views.add(view)
                self.shown = self.sent
                self._act({"kind": "ready"})
            if kind not in ("shown", "ready"):
                self._act(message)

"""The first game controller of this machine, through Linux's joystick interface."""

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

DEVICE = Path("/dev/input/js0")
DEAD_ZONE = 0.15
_EVENT = struct.Struct("<IhBB")  # time ms, value, type, number; see the kernel's joystick-api.rst
_BUTTON, _AXIS, _INITIAL = 1, 2, 0x80


@dataclass
class Gamepad:
    """Left stick and buttons of a controller, read without waiting.

    A controller that is not there, or is pulled out, reads as one that is let go of; it is looked for again.
    """

    device: Path = DEVICE
    _file: int | None = field(default=None, repr=False)
    _axes: list[float] = field(default_factory=lambda: [0.0, 0.0], repr=False)

    def read(self) -> tuple[tuple[float, float] | None, list[int]]:
        """Return what changed since the last call: the stick's forward and left position, -1..1, and buttons pressed.

        The position is None where the stick did not move.
        """
        moved, pressed = False, []
        was_there = self._file is not None
        for value, kind, number in self._events():
            if kind & ~_INITIAL == _AXIS and number < 2:
                share = value / 32767
                self._axes[number] = 0.0 if abs(share) < DEAD_ZONE else -share
                moved |= not kind & _INITIAL
            elif kind == _BUTTON and value:
                pressed.append(number)
        if was_there and self._file is None:
            moved |= any(self._axes)
            self._axes = [0.0, 0.0]
        return ((self._axes[1], self._axes[0]) if moved else None), pressed

    def close(self) -> None:
        """Close the device."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _events(self) -> list[tuple[int, int, int]]:
        try:
            if self._file is None:
                self._file = os.open(self.device, os.O_RDONLY | os.O_NONBLOCK)
            content = os.read(self._file, _EVENT.size * 64)
        except BlockingIOError:
            return []
        except OSError:
            self.close()
            return []
        whole = content[: len(content) // _EVENT.size * _EVENT.size]
        return [event[1:] for event in _EVENT.iter_unpack(whole)]

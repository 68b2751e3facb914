"""Images and videos of a robot in motion, rendered off screen with OpenGL or drawn with matplotlib without it."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import mujoco
import numpy as np

from amp_helpers.errors import InputError, atomic_path
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.render.drawing import Drawing
from amp_helpers.render.gl import GlCanvas, gl_available
from amp_helpers.render.scene import scene_model
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot

CAMERAS = {
    "side": (90.0, -8.0),
    "front": (180.0, -8.0),
    "quarter": (135.0, -14.0),
    "behind": (0.0, -14.0),
    "feet": (90.0, -4.0),
}
"""Camera -> (azimuth, elevation) of its viewing direction, degrees. In ``side`` the robot walks to the right; ``feet``
looks in the same direction from near the feet."""
MAX_SHARED = 6
"""Renderers that :func:`shared_renderer` keeps open."""
# Distance and height of the look-at point in units of the root height, so that a robot of any size fills the image.
_DISTANCE, _LOOK_AT = 3.0, 0.85
_NEAR = {"feet": (1.6, 0.25)}


class Renderer:
    """Render frames of a motion; use as a context manager.

    Args:
        robot: robot whose model is drawn.
        width, height: size of a frame, pixels.
        camera: a name in :data:`CAMERAS`; the camera follows the root horizontally.
        gl: True for OpenGL, False for the matplotlib drawing, None for OpenGL where available.
        quick: with OpenGL, edges are not smooth, in less than half the time.

    Raises:
        InputError: the camera is unknown, or ``gl=True`` without OpenGL.
    """

    def __init__(
        self,
        robot: Robot,
        width: int = 480,
        height: int = 360,
        camera: str = "side",
        gl: bool | None = None,
        *,
        quick: bool = False,
    ) -> None:
        if camera not in CAMERAS:
            raise InputError(f"camera '{camera}' not found; available: {', '.join(CAMERAS)}")
        if gl and not gl_available():
            raise InputError(
                "OpenGL is not available; install libegl1, libegl-mesa0 and libgl1-mesa-dri, or leave gl unset"
            )
        self.robot, self.width, self.height, self.camera = robot, width, height, camera
        self.uses_gl = gl_available() if gl is None else gl
        self._kinematics = Kinematics(robot)
        distance, look_at = _NEAR.get(camera, (_DISTANCE, _LOOK_AT))
        self._distance, self._look_at = distance * robot.default_root_height, look_at * robot.default_root_height
        half_view = np.radians(self._kinematics.model.vis.global_.fovy / 2)
        pixel = 2 * self._distance * np.tan(half_view) / height  # m, at the robot
        self._model = scene_model(robot, pixel) if self.uses_gl else self._kinematics.model
        self._data = mujoco.MjData(self._model)
        if self.uses_gl:
            self._canvas = GlCanvas(self._model, width, height, oversampling=1 if quick else 2)
        else:
            self._canvas = Drawing(self._model, width, height)

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the graphics context; the renderer cannot be used afterwards."""
        self._canvas.close()

    def frame(self, motion: Motion, i: int, highlight: Iterable[str] = ()) -> np.ndarray:
        """Render frame ``i`` of ``motion`` as (H, W, 3) uint8, the child links of the ``highlight`` joints colored.

        Raises:
            InputError: the robot lacks a joint of the motion or of ``highlight``.
        """
        return self._draw(self._kinematics.qpos(motion)[i], highlight)

    def video(self, motion: Motion, fps: float = 30.0, highlight: Iterable[str] = ()) -> list[np.ndarray]:
        """Render the motion in real time at ``fps`` frames per second, each (H, W, 3) uint8."""
        highlight = tuple(highlight)
        return [self._draw(qpos, highlight) for qpos in self._kinematics.qpos(motion.resample(1.0 / fps))]

    def pose(self, qpos: np.ndarray, camera: str | None = None, heading: float = 0.0) -> np.ndarray:
        """Render one pose as (H, W, 3) uint8.

        Args:
            qpos: as :meth:`amp_helpers.robots.kinematics.Kinematics.qpos` returns it, (7 + J).
            camera: viewing direction, a name in :data:`CAMERAS`; ``None`` for the renderer's own.
            heading: turns the camera about the vertical, rad.
        """
        return self._draw(qpos, (), camera, np.degrees(heading))

    def _draw(
        self, qpos: np.ndarray, highlight: Iterable[str], camera: str | None = None, turned: float = 0.0
    ) -> np.ndarray:
        for name in highlight:
            JointOrder(self.robot.joint_names).index(name)  # raises for an unknown joint
        bodies = {int(self._model.joint(name).bodyid[0]) for name in highlight}
        view = mujoco.MjvCamera()
        view.lookat[:] = (*qpos[:2], self._look_at)
        view.distance = self._distance
        azimuth, view.elevation = CAMERAS[camera or self.camera]
        view.azimuth = azimuth + turned
        with _lock:
            self._data.qpos[:] = qpos
            mujoco.mj_forward(self._model, self._data)
            return self._canvas.draw(self._data, view, bodies)


_shared: OrderedDict[tuple, Renderer] = OrderedDict()
_lock = threading.RLock()  # a notebook's cells and widget callbacks run in different threads


def shared_renderer(
    robot: Robot,
    width: int = 480,
    height: int = 360,
    camera: str = "side",
    gl: bool | None = None,
    *,
    quick: bool = False,
) -> Renderer:
    """Return this process's renderer for a robot, size and camera, opening it at first use.

    Notebook cells that run repeatedly thus share one renderer. Call this function for every image and do not close
    its result: beyond :data:`MAX_SHARED` open renderers, the least recently used one is closed.

    Raises:
        InputError: as :class:`Renderer`.
    """
    key = (robot, width, height, camera, gl, quick)
    with _lock:
        if key not in _shared:
            _shared[key] = Renderer(robot, width, height, camera, gl, quick=quick)
        _shared.move_to_end(key)
        while len(_shared) > MAX_SHARED:
            _shared.popitem(last=False)[1].close()
        return _shared[key]


def side_by_side(
    frames_a: Sequence[np.ndarray],
    frames_b: Sequence[np.ndarray],
    labels: tuple[str | Sequence[str], str | Sequence[str]],
) -> list[np.ndarray]:
    """Join two videos horizontally, each with its label or a label a frame; the shorter one repeats its last frame.

    Raises:
        InputError: a video is empty, or their heights differ.
    """
    if not len(frames_a) or not len(frames_b):
        raise InputError("a video has no frames; render both before joining them")
    if frames_a[0].shape[0] != frames_b[0].shape[0]:
        raise InputError("the two videos differ in height; render both at the same size")
    gap = np.full((frames_a[0].shape[0], 4, 3), 255, dtype=np.uint8)
    joined = []
    for i in range(max(len(frames_a), len(frames_b))):
        pair = frames_a[min(i, len(frames_a) - 1)], frames_b[min(i, len(frames_b) - 1)]
        texts = [label if isinstance(label, str) else label[min(i, len(label) - 1)] for label in labels]
        left, right = (_labeled(frame, text) for frame, text in zip(pair, texts, strict=True))
        joined.append(np.concatenate([left, gap, right], axis=1))
    return joined


def _labeled(frame: np.ndarray, text: str) -> np.ndarray:
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(frame)
    font_file = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"  # the same font on every machine
    font = ImageFont.truetype(str(font_file), size=max(12, frame.shape[0] // 22))
    ImageDraw.Draw(image).text((10, 8), text, font=font, fill=(30, 34, 40))
    return np.asarray(image)


def write_video(path: str | os.PathLike, frames: Sequence[np.ndarray], fps: float) -> Path:
    """Write (H, W, 3) uint8 frames as an mp4 that browsers play (H.264, yuv420p); the write is atomic.

    The pixel format needs an even width and height, so an odd one is cropped by a pixel.

    Raises:
        InputError: ``frames`` is empty.
    """
    if not len(frames):
        raise InputError(f"{path}: no frames to write; render some first")
    import imageio_ffmpeg
    import mediapy

    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    height, width = (size // 2 * 2 for size in frames[0].shape[:2])
    with atomic_path(path) as temporary:
        mediapy.write_video(temporary, [frame[:height, :width] for frame in frames], fps=fps, crf=22)
    return Path(path)

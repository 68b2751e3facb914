"""Pictures and videos of a robot in motion: MuJoCo's renderer without a display, or a drawing where there is no GL."""

import atexit
import ctypes.util
import functools
import os
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path

import mujoco
import numpy as np

from amp_helpers.drawing import Drawing
from amp_helpers.errors import InputError, atomic_path
from amp_helpers.joints import JointOrder
from amp_helpers.kinematics import Kinematics
from amp_helpers.motion import Motion
from amp_helpers.robots import Robot

CAMERAS = {"side": (90.0, -8.0), "front": (180.0, -8.0), "quarter": (135.0, -14.0)}
"""Camera -> (azimuth, elevation) of its viewing direction, degrees; "side" sees the robot walk to the right."""
HIGHLIGHT = np.array([0.95, 0.38, 0.10, 1.0])
_DISTANCE, _LOOK_AT = 3.0, 0.85  # in heights of the root, so that a small robot fills the picture as well
_VISUAL_GROUP, _COLLISION_GROUP = 2, 3
_FLOOR = "amp_helpers_floor"  # a name that no robot's own file has


@functools.cache
def gl_available() -> bool:
    """Whether frames can be rendered here: EGL (or OSMesa, if ``MUJOCO_GL`` says so) gives a context."""
    if os.environ.get("MUJOCO_GL") != "osmesa" and ctypes.util.find_library("EGL") is None:
        return False
    # PyOpenGL chooses its platform when it is first imported, and everything it raises is imported from it.
    os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa" if os.environ.get("MUJOCO_GL") == "osmesa" else "egl")
    from OpenGL.error import Error as GlError

    try:
        context = _gl_context(64, 64)
        context.make_current()
    except (ImportError, AttributeError, RuntimeError, GlError):
        # A library that is missing or lacks a function, no usable device, or a refusal of the driver.
        return False
    context.free()
    # Registered after MuJoCo's own exit handler, which ends the connection to the display, and so run before it.
    atexit.register(_close_all)
    return True


def _gl_context(width: int, height: int):
    """An off-screen GL context. Taken from its own module, because ``mujoco`` fixes its choice by MUJOCO_GL when it
    is first imported, which a simulator may have done long before."""
    if os.environ.get("MUJOCO_GL") == "osmesa":
        from mujoco.osmesa import GLContext
    else:
        from mujoco.egl import GLContext
    if not hasattr(GLContext, "_context"):
        GLContext._context = None  # its destructor looks for it even when the constructor failed
    return GLContext(width, height)


class Renderer:
    """Draws frames of a motion; use as a context manager.

    Args:
        robot: whose model to draw.
        width, height: of a frame, pixels.
        camera: a name in :data:`CAMERAS`. It follows the root horizontally.
        gl: True for MuJoCo's renderer, False for the drawing, None for the renderer where it works.

    Raises:
        InputError: no such camera, or ``gl=True`` where there is no GL.
    """

    def __init__(
        self, robot: Robot, width: int = 480, height: int = 360, camera: str = "side", gl: bool | None = None
    ) -> None:
        if camera not in CAMERAS:
            raise InputError(f"camera '{camera}' not found; available: {', '.join(CAMERAS)}")
        if gl and not gl_available():
            raise InputError("no GL here to render with; install libegl1, libegl-mesa0 and libgl1-mesa-dri")
        self.robot, self.width, self.height, self.camera = robot, width, height, camera
        self.uses_gl = gl_available() if gl is None else gl
        self._kinematics = Kinematics(robot)
        self._model = _scene_model(robot, width, height) if self.uses_gl else self._kinematics.model
        self._data = mujoco.MjData(self._model)
        self._canvas = (_GlCanvas if self.uses_gl else Drawing)(self._model, width, height)

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free what the graphics driver holds; the renderer cannot be used afterwards."""
        self._canvas.close()

    def frame(self, motion: Motion, i: int, highlight: Iterable[str] = ()) -> np.ndarray:
        """Frame ``i`` of ``motion`` as (H, W, 3) uint8; the links that the highlighted joints move are coloured.

        Raises:
            InputError: the robot lacks a joint of the motion or a highlighted one.
        """
        return self._draw(self._kinematics.qpos(motion)[i], highlight)

    def video(self, motion: Motion, fps: float = 30.0, highlight: Iterable[str] = ()) -> list[np.ndarray]:
        """The motion in real time at ``fps`` frames per second, each (H, W, 3) uint8."""
        highlight = tuple(highlight)
        return [self._draw(qpos, highlight) for qpos in self._kinematics.qpos(motion.resample(1.0 / fps))]

    def _draw(self, qpos: np.ndarray, highlight: Iterable[str]) -> np.ndarray:
        for name in highlight:
            JointOrder(self.robot.joint_names).index(name)  # refuses a joint that the robot lacks
        bodies = {int(self._model.joint(name).bodyid[0]) for name in highlight}
        self._data.qpos[:] = qpos
        mujoco.mj_forward(self._model, self._data)
        view = mujoco.MjvCamera()
        height = self.robot.default_root_height
        view.lookat[:] = (*qpos[:2], _LOOK_AT * height)
        view.distance = _DISTANCE * height
        view.azimuth, view.elevation = CAMERAS[self.camera]
        return self._canvas.draw(self._data, view, bodies)


_open_canvases: "weakref.WeakSet[_GlCanvas]" = weakref.WeakSet()


def _close_all() -> None:
    """Close what a notebook left open: a context that outlives the display complains when Python exits."""
    for canvas in list(_open_canvases):
        canvas.close()


class _GlCanvas:
    """MuJoCo's renderer into an off-screen buffer."""

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self._model = model
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._context = _gl_context(width, height)
        self._context.make_current()
        self._mjr = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._mjr)
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._options = mujoco.MjvOption()
        self._options.geomgroup[_COLLISION_GROUP] = 0
        shapes = np.flatnonzero(model.geom_group == _COLLISION_GROUP)
        self._casting = shapes[np.unique(model.geom_bodyid[shapes], return_index=True)[1]]  # one per link
        _open_canvases.add(self)
        self._pixels = np.empty((height, width, 3), dtype=np.uint8)

    def draw(self, data: mujoco.MjData, view: mujoco.MjvCamera, highlight: set[int]) -> np.ndarray:
        self._context.make_current()  # several renderers may be open
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, data, self._options, None, view, everything, self._scene)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            is_geom = geom.objtype == mujoco.mjtObj.mjOBJ_GEOM
            if is_geom and int(self._model.geom_bodyid[geom.objid]) in highlight:
                geom.rgba[:] = HIGHLIGHT
        self._add_shadow(data)
        mujoco.mjr_render(self._viewport, self._scene, self._mjr)
        mujoco.mjr_readPixels(self._pixels, None, self._viewport, self._mjr)
        return self._pixels[::-1].copy()  # OpenGL's rows start at the bottom

    def _add_shadow(self, data: mujoco.MjData) -> None:
        """Soft blots on the floor below the links: enough to see whether a foot is on the ground."""
        for i in self._casting:
            height = data.geom_xpos[i, 2]
            size = (0.05 + 0.10 * height, 0.05 + 0.10 * height, 1e-4)
            position = (*data.geom_xpos[i, :2], 1e-3 + 1e-5 * i)  # apart, or they would flicker
            geom = self._scene.geoms[self._scene.ngeom]
            colour = np.array([0.1, 0.12, 0.15, 0.11 / (1 + 2 * height)], dtype=np.float32)
            disc = mujoco.mjtGeom.mjGEOM_CYLINDER
            mujoco.mjv_initGeom(geom, disc, np.array(size), np.array(position), np.eye(3).ravel(), colour)
            self._scene.ngeom += 1

    def close(self) -> None:
        if self not in _open_canvases:
            return
        _open_canvases.discard(self)
        self._context.make_current()
        self._mjr.free()
        self._context.free()


def _scene_model(robot: Robot, width: int, height: int) -> mujoco.MjModel:
    """The robot on a chequered floor under a light sky."""
    spec = mujoco.MjSpec.from_file(str(robot.mjcf_path))
    spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
    spec.visual.headlight.ambient[:] = 0.45
    spec.visual.headlight.diffuse[:] = 0.35
    spec.visual.headlight.specular[:] = 0.0
    floors = [geom for geom in spec.worldbody.geoms if geom.type == mujoco.mjtGeom.mjGEOM_PLANE]
    for own in (*spec.lights, *floors):  # a file of one's own may bring a scene along
        spec.delete(own)
    spec.add_texture(
        name="amp_helpers_sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.80, 0.88, 0.96],
        rgb2=[0.97, 0.98, 1.0],
        width=256,
        height=256,
    )
    spec.add_texture(
        name=_FLOOR,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.82, 0.85, 0.88],
        rgb2=[0.70, 0.74, 0.79],
        width=512,
        height=512,
    )
    material = spec.add_material(name=_FLOOR, texrepeat=[1, 1], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = _FLOOR
    world = spec.worldbody
    world.add_geom(name=_FLOOR, type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.1], material=_FLOOR)
    # Without MuJoCo's shadow map, which doubles the time of a frame and speckles the floor of software renderers.
    world.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        dir=[0.4, 0.5, -1],
        diffuse=[0.45, 0.45, 0.45],
        specular=[0.15, 0.15, 0.15],
        castshadow=False,
    )
    return spec.compile()


def side_by_side(
    frames_a: Sequence[np.ndarray], frames_b: Sequence[np.ndarray], labels: tuple[str, str]
) -> list[np.ndarray]:
    """Two videos next to each other with a label each; the shorter one holds its last frame.

    Raises:
        InputError: one is empty, or their heights differ.
    """
    if not len(frames_a) or not len(frames_b):
        raise InputError("one of the two videos has no frames; render both before joining them")
    if frames_a[0].shape[0] != frames_b[0].shape[0]:
        raise InputError("the two videos differ in height; render both at the same size")
    gap = np.full((frames_a[0].shape[0], 4, 3), 255, dtype=np.uint8)
    joined = []
    for i in range(max(len(frames_a), len(frames_b))):
        pair = frames_a[min(i, len(frames_a) - 1)], frames_b[min(i, len(frames_b) - 1)]
        left, right = (_labelled(frame, text) for frame, text in zip(pair, labels, strict=True))
        joined.append(np.concatenate([left, gap, right], axis=1))
    return joined


def _labelled(frame: np.ndarray, text: str) -> np.ndarray:
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(frame)
    font_file = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"  # the same font on every machine
    font = ImageFont.truetype(str(font_file), size=max(12, frame.shape[0] // 22))
    ImageDraw.Draw(image).text((10, 8), text, font=font, fill=(30, 34, 40))
    return np.asarray(image)


def write_video(path: str | os.PathLike, frames: Sequence[np.ndarray], fps: float) -> Path:
    """Write (H, W, 3) uint8 frames as an mp4 that browsers play (H.264, yuv420p). The write is atomic.

    An odd width or height is cut by one pixel, which the pixel format needs.

    Raises:
        InputError: there are no frames.
    """
    if not len(frames):
        raise InputError(f"{path}: there are no frames to write; render some first")
    import imageio_ffmpeg
    import mediapy

    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    height, width = (size // 2 * 2 for size in frames[0].shape[:2])
    with atomic_path(path) as temporary:
        mediapy.write_video(temporary, [frame[:height, :width] for frame in frames], fps=fps, crf=22)
    return Path(path)

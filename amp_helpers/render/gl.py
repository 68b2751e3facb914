"""Off-screen OpenGL rendering of a robot with MuJoCo.

``mujoco.Renderer`` makes the same calls, but it does not fit here: its context is the one that ``MUJOCO_GL`` named when
``mujoco`` was first imported, by default GLFW, which needs a display; and it leaves the context current, so that a
notebook's widgets, whose callbacks run in another thread than its cells, could not draw with it.
"""

import atexit
import ctypes.util
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mujoco
import numpy as np
from PIL import Image

HIGHLIGHT = (0.95, 0.38, 0.10, 1.0)
COLLISION_GROUP = 3
"""Group of geoms that are not drawn."""


def _osmesa() -> bool:
    return os.environ.get("MUJOCO_GL") == "osmesa"


@functools.cache
def gl_available() -> bool:
    """Whether an off-screen context can be created: EGL, or OSMesa if ``MUJOCO_GL`` is ``osmesa``."""
    if not _osmesa() and ctypes.util.find_library("EGL") is None:
        return False
    # PyOpenGL chooses its platform when it is first imported, which may be on the next line.
    os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa" if _osmesa() else "egl")
    from OpenGL.error import Error as GlError

    try:
        context = _gl_context(64, 64)
        context.make_current()
    except (ImportError, AttributeError, RuntimeError, GlError):
        # A library is missing or lacks a function, there is no usable device, or the driver refuses.
        return False
    context.free()
    return True


def _gl_context(width: int, height: int) -> Any:
    """Create an off-screen context of MuJoCo's EGL or OSMesa backend."""
    if _osmesa():
        from mujoco.osmesa import GLContext
    else:
        from mujoco.egl import GLContext

    # The destructor reads _context even when the constructor fails.
    return type("Context", (GLContext,), {"_context": None})(width, height)


@contextmanager
def _current(context: Any) -> Iterator[None]:
    """Make the context current in this thread for the block: a context can be current in one thread only."""
    context.make_current()
    try:
        yield
    finally:
        if not _osmesa():
            from mujoco.egl import EGL_DISPLAY
            from OpenGL import EGL

            EGL.eglMakeCurrent(EGL_DISPLAY, EGL.EGL_NO_SURFACE, EGL.EGL_NO_SURFACE, EGL.EGL_NO_CONTEXT)


class GlCanvas:
    """Draw poses of a robot into an off-screen buffer.

    Args:
        model: a robot in its scene, as :func:`amp_helpers.render.scene.scene_model` compiles it.
        width, height: of an image, pixels.
        oversampling: pixels rendered for one of the image, along each side; 2 for smooth edges, in software a third
            faster than the driver's own antialiasing.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int, oversampling: int = 2) -> None:
        self._oversampling = oversampling
        width, height = width * oversampling, height * oversampling
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._model = model
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), dtype=np.uint8)
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._options = mujoco.MjvOption()
        self._options.geomgroup[COLLISION_GROUP] = 0
        shapes = np.flatnonzero(model.geom_group == COLLISION_GROUP)
        self._shadowed = shapes[np.unique(model.geom_bodyid[shapes], return_index=True)[1]]  # one per link
        self._context = _gl_context(width, height)
        with _current(self._context):
            self._mjr: mujoco.MjrContext | None = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._mjr)
        # A context that outlives MuJoCo's EGL display prints an error at exit; exit handlers run last in, first out.
        atexit.register(self.close)

    def draw(self, data: mujoco.MjData, view: mujoco.MjvCamera, highlight: set[int]) -> np.ndarray:
        """Draw the pose in ``data`` as (H, W, 3) uint8, the bodies in ``highlight`` colored."""
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, data, self._options, None, view, everything, self._scene)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            is_geom = geom.objtype == mujoco.mjtObj.mjOBJ_GEOM
            if is_geom and int(self._model.geom_bodyid[geom.objid]) in highlight:
                geom.rgba[:] = HIGHLIGHT
        self._add_shadows(data)
        with _current(self._context):
            mujoco.mjr_render(self._viewport, self._scene, self._mjr)
            mujoco.mjr_readPixels(self._pixels, None, self._viewport, self._mjr)
        upright = Image.fromarray(self._pixels[::-1])  # OpenGL's rows start at the bottom
        return np.array(upright.reduce(self._oversampling))

    def _add_shadows(self, data: mujoco.MjData) -> None:
        """Add a soft disc on the floor below each link, which shows whether a foot touches the ground."""
        for i in self._shadowed:
            height = data.geom_xpos[i, 2]
            size = np.array([0.05 + 0.10 * height, 0.05 + 0.10 * height, 1e-4])
            position = np.array([*data.geom_xpos[i, :2], 1e-3 + 1e-5 * i])  # coplanar discs would flicker
            color = np.array([0.1, 0.12, 0.15, 0.11 / (1 + 2 * height)], dtype=np.float32)
            geom = self._scene.geoms[self._scene.ngeom]
            mujoco.mjv_initGeom(geom, mujoco.mjtGeom.mjGEOM_CYLINDER, size, position, np.eye(3).ravel(), color)
            self._scene.ngeom += 1

    def close(self) -> None:
        """Free the context; closing again does nothing."""
        atexit.unregister(self.close)
        if self._mjr is None:
            return
        with _current(self._context):
            self._mjr.free()
        self._mjr = None
        self._context.free()

"""MuJoCo's renderer into an off-screen buffer: the scene around a robot, and the canvas it is drawn on."""

import atexit
import ctypes.util
import functools
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import mujoco
import numpy as np
from PIL import Image

from amp_helpers.robots.robot import Robot

HIGHLIGHT = np.array([0.95, 0.38, 0.10, 1.0])
_COLLISION_GROUP = 3
_FLOOR = "amp_helpers_floor"  # a name that no robot's own file has
_OVERSAMPLING = 2  # smooth edges; in software a third faster than the driver's own antialiasing


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


@contextmanager
def _current(context) -> Iterator[None]:
    """The context is this thread's in the block, and nobody's after it: a notebook runs its cells in one thread and the
    callbacks of its widgets in another, and a context can belong to one alone."""
    context.make_current()
    try:
        yield
    finally:
        if os.environ.get("MUJOCO_GL") != "osmesa":
            from mujoco.egl import EGL_DISPLAY
            from OpenGL import EGL

            EGL.eglMakeCurrent(EGL_DISPLAY, EGL.EGL_NO_SURFACE, EGL.EGL_NO_SURFACE, EGL.EGL_NO_CONTEXT)


_open_canvases: "weakref.WeakSet[GlCanvas]" = weakref.WeakSet()


def _close_all() -> None:
    """Close what a notebook left open: a context that outlives the display complains when Python exits."""
    for canvas in list(_open_canvases):
        canvas.close()


class GlCanvas:
    """MuJoCo's renderer into an off-screen buffer."""

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self._model = model
        width, height = width * _OVERSAMPLING, height * _OVERSAMPLING
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._context = _gl_context(width, height)
        with _current(self._context):
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
        """The pose in ``data`` as (H, W, 3) uint8, the links in ``highlight`` colored."""
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, data, self._options, None, view, everything, self._scene)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            is_geom = geom.objtype == mujoco.mjtObj.mjOBJ_GEOM
            if is_geom and int(self._model.geom_bodyid[geom.objid]) in highlight:
                geom.rgba[:] = HIGHLIGHT
        self._add_shadow(data)
        with _current(self._context):
            mujoco.mjr_render(self._viewport, self._scene, self._mjr)
            mujoco.mjr_readPixels(self._pixels, None, self._viewport, self._mjr)
        upright = Image.fromarray(self._pixels[::-1])  # OpenGL's rows start at the bottom
        return np.array(upright.reduce(_OVERSAMPLING))

    def _add_shadow(self, data: mujoco.MjData) -> None:
        """Soft blots on the floor below the links: enough to see whether a foot is on the ground."""
        for i in self._casting:
            height = data.geom_xpos[i, 2]
            size = (0.05 + 0.10 * height, 0.05 + 0.10 * height, 1e-4)
            position = (*data.geom_xpos[i, :2], 1e-3 + 1e-5 * i)  # apart, or they would flicker
            geom = self._scene.geoms[self._scene.ngeom]
            color = np.array([0.1, 0.12, 0.15, 0.11 / (1 + 2 * height)], dtype=np.float32)
            disc = mujoco.mjtGeom.mjGEOM_CYLINDER
            mujoco.mjv_initGeom(geom, disc, np.array(size), np.array(position), np.eye(3).ravel(), color)
            self._scene.ngeom += 1

    def close(self) -> None:
        """Free what the driver holds."""
        if self not in _open_canvases:
            return
        _open_canvases.discard(self)
        with _current(self._context):
            self._mjr.free()
        self._context.free()


def scene_model(robot: Robot, width: int, height: int, detail: float) -> mujoco.MjModel:
    """The robot on a checkered floor under a light sky, its meshes without anything smaller than ``detail``, m."""
    spec = mujoco.MjSpec.from_file(str(robot.mjcf_path))
    spec.visual.global_.offwidth, spec.visual.global_.offheight = width * _OVERSAMPLING, height * _OVERSAMPLING
    spec.visual.quality.offsamples = 0
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
    model = spec.compile()
    _coarsen(model, detail)
    return model


def _coarsen(model: mujoco.MjModel, detail: float) -> None:
    """Merge mesh vertices that share a cell of ``detail`` meters and drop the triangles that this makes flat.

    In software a frame's time is mostly that of its triangles, of which the G1 has 400,000 for 30,000 pixels.
    """
    for mesh in range(model.nmesh):
        vertices = slice(model.mesh_vertadr[mesh], model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
        cells = np.round(model.mesh_vert[vertices] / detail).astype(np.int32)
        _, chosen, cell_of = np.unique(cells, axis=0, return_index=True, return_inverse=True)
        faces = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
        merged = chosen[cell_of.ravel()][model.mesh_face[faces]]
        corners = np.sort(merged, axis=1)
        _, kept = np.unique(corners, axis=0, return_index=True)
        kept = kept[(np.diff(corners[kept], axis=1) > 0).all(axis=1)]
        rest = slice(faces.start, faces.start + len(kept))
        model.mesh_face[rest] = merged[kept]
        for of_corners in (model.mesh_facenormal, model.mesh_facetexcoord):
            of_corners[rest] = of_corners[faces][kept]
        model.mesh_facenum[mesh] = len(kept)

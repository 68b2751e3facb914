"""The scene around a robot: checkered floor, sky, light, and meshes no finer than a pixel."""

import mujoco
import numpy as np

from amp_helpers.robots.robot import Robot

_SCENE = """
<mujoco>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1=".80 .88 .96" rgb2=".97 .98 1" width="256" height="256"/>
    <texture name="floor" type="2d" builtin="checker" rgb1=".82 .85 .88" rgb2=".70 .74 .79" width="512" height="512"/>
    <material name="floor" texture="floor" texrepeat="1 1" texuniform="true"/>
  </asset>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 .1" material="floor"/>
    <!-- MuJoCo's shadow map doubles the time of a frame and speckles the floor in software rendering. -->
    <light type="directional" dir=".4 .5 -1" diffuse=".45 .45 .45" specular=".15 .15 .15" castshadow="false"/>
  </worldbody>
</mujoco>
"""


def scene_model(robot: Robot, detail: float) -> mujoco.MjModel:
    """Compile the robot in the scene, in place of the floor and lights of its own file.

    Args:
        robot: whose model is compiled.
        detail: size below which mesh features are merged, m.
    """
    spec = mujoco.MjSpec.from_file(str(robot.mjcf_path))
    spec.visual.quality.offsamples = 0
    spec.visual.headlight.ambient[:] = 0.45
    spec.visual.headlight.diffuse[:] = 0.35
    spec.visual.headlight.specular[:] = 0.0
    floors = [geom for geom in spec.worldbody.geoms if geom.type == mujoco.mjtGeom.mjGEOM_PLANE]
    for own in (*spec.lights, *floors):
        spec.delete(own)
    spec.attach(mujoco.MjSpec.from_string(_SCENE), prefix="amp_helpers/", frame=spec.worldbody.add_frame())
    model = spec.compile()
    _coarsen(model, detail)
    return model


def _coarsen(model: mujoco.MjModel, detail: float) -> None:
    """Merge mesh vertices that share a cell of ``detail`` m, and remove the triangles that collapse.

    Software rendering time grows with the number of triangles: the G1 has 400,000 for some 30,000 pixels.
    """
    for mesh in range(model.nmesh):
        vertices = slice(model.mesh_vertadr[mesh], model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
        cells = np.round(model.mesh_vert[vertices] / detail).astype(np.int32)
        _, representative, cell_of = np.unique(cells, axis=0, return_index=True, return_inverse=True)
        faces = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
        merged = representative[cell_of.ravel()][model.mesh_face[faces]]
        corners = np.sort(merged, axis=1)
        _, kept = np.unique(corners, axis=0, return_index=True)
        kept = kept[(np.diff(corners[kept], axis=1) > 0).all(axis=1)]
        used = slice(faces.start, faces.start + len(kept))
        model.mesh_face[used] = merged[kept]
        for of_corners in (model.mesh_facenormal, model.mesh_facetexcoord):
            of_corners[used] = of_corners[faces][kept]
        model.mesh_facenum[mesh] = len(kept)

"""Model files for Isaac Lab: an MJCF converted to USD, and a ground that is fetched from nowhere."""

import shutil
import subprocess
import sys
from pathlib import Path

from amp_helpers.errors import InputError


def build_usd(source: Path, folder: Path) -> None:
    """``source`` (MJCF) as USD layers in ``folder``, named after the model."""
    # In a process of its own: the converter is talkative, and USD must not be loaded here before a simulator
    # application loads its own.
    convert = "import sys, mujoco_usd_converter as m; m.Converter(scene=False).convert(*sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", convert, source, folder], capture_output=True, text=True)
    if "No module named 'mujoco_usd_converter'" in done.stderr:
        raise InputError("mujoco-usd-converter is not installed, so no USD model can be built; pip install -e '.[sim]'")
    if done.returncode != 0:
        reason = (done.stderr.splitlines() or ["no message"])[-1]
        raise InputError(f"{source}: cannot be converted to USD ({reason}); free space, or report this")
    licence = source.parent / "LICENSE.mjlab"
    if licence.is_file():  # of a robot that this project fetched
        shutil.copyfile(licence, folder / licence.name)


def build_ground(folder: Path) -> None:
    """A horizontal collision plane at z = 0; Isaac Lab looks for the ``Plane`` and the shader's tint."""
    (folder / "ground.usda").write_text(_GROUND_USDA)


_GROUND_USDA = """#usda 1.0
(
    defaultPrim = "Ground"
    metersPerUnit = 1
    upAxis = "Z"
)

def Xform "Ground"
{
    def Plane "CollisionPlane" (
        prepend apiSchemas = ["PhysicsCollisionAPI"]
    )
    {
        uniform token axis = "Z"
        double width = 200
        double length = 200
    }

    def Scope "Looks"
    {
        def Material "theGrid"
        {
            token outputs:surface.connect = </Ground/Looks/theGrid/Shader.outputs:surface>

            def Shader "Shader"
            {
                uniform token info:id = "UsdPreviewSurface"
                color3f inputs:diffuseColor.connect = </Ground/Looks/theGrid/Shader.inputs:diffuse_tint>
                color3f inputs:diffuse_tint = (0.5, 0.5, 0.5)
                token outputs:surface
            }
        }
    }
}
"""

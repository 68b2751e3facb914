"""Write the page: one HTML file with the libraries, a robot and policies in it, which opens from a disk too."""

import base64
import gzip
import html
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from amp_helpers.deploy.bundles import named_bundles
from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.driver import common_robot
from amp_helpers.deploy.limits import LATERAL_LIMIT
from amp_helpers.deploy.mujoco_sim import MujocoSim
from amp_helpers.errors import InputError, atomic_path
from amp_helpers.render.meshes import body_meshes
from amp_helpers.robots.lookup import get_robot
from amp_helpers.robots.robot import Robot
from amp_helpers.web.drawing import draw_robot
from amp_helpers.web.packages import MUJOCO, ONNXRUNTIME, THREE, library_files

DETAIL_M = 0.005
"""Size below which features of the robot's meshes are merged, m."""
_SCRIPTS = ("assets", "controller", "simulation", "measures", "scene", "plot", "controls", "main")
_STATIC = resources.files("amp_helpers.web") / "static"


@dataclass(frozen=True)
class Written:
    """What :func:`write_page` wrote."""

    path: Path
    robot: str
    policies: tuple[str, ...]
    megabytes: float


def write_page(
    policies: Sequence[str | os.PathLike],
    output: Path,
    *,
    task: str | None = None,
    robot: str | None = None,
    documentation: str | None = None,
) -> Written:
    """Write a page in which a robot is driven by policies, in MuJoCo, without any server.

    Args:
        policies: of one robot, each as :func:`amp_helpers.deploy.bundles.find_bundle` takes it; the first is shown at
            the start.
        output: the HTML file.
        task: see :func:`amp_helpers.deploy.bundles.named_bundles`.
        robot: see :func:`amp_helpers.robots.get_robot`; by default the one that the bundles name.
        documentation: address of the documentation, to link to.

    Raises:
        InputError: a policy cannot be used, no robot or that of somebody's module is named, or a library cannot be
            fetched.
    """
    if not policies:
        raise InputError("no policy to drive; give at least one bundle, run or shipped policy")
    if output.is_dir():
        raise InputError(f"{output}: is a folder; give a file for the page, such as {output / 'drive.html'}")
    if mujoco.__version__ != MUJOCO.version:
        raise InputError(
            f"mujoco {mujoco.__version__}: the page has MuJoCo {MUJOCO.version}, which reads no compiled models of "
            f"another version; pip install mujoco=={MUJOCO.version}"
        )
    bundles = named_bundles(policies, task=task, robot=robot)
    controllers = [Controller(folder) for folder in bundles.values()]
    found = get_robot(robot) if robot else common_robot(dict(zip(bundles, controllers, strict=True)))
    libraries = library_files()
    assets = {name: file.read_bytes() for name, file in libraries.items() if name.endswith((".js", ".wasm"))}
    shown = []
    for (name, folder), controller in zip(bundles.items(), controllers, strict=True):
        simulation = MujocoSim(controller, found)
        assets[f"{name}.onnx"] = (folder / "policy.onnx").read_bytes()
        assets[f"{name}.mjb"] = _saved(simulation.model)
        shown.append({"name": name, "facts": _facts(controller.facts), "layout": _layout(simulation)})
    drawing = draw_robot(body_meshes(found, DETAIL_M), MujocoSim(controllers[0], found).model)
    assets |= {"positions": drawing.positions.tobytes(), "normals": drawing.normals.tobytes()}
    assets["licenses"] = _licenses(found, libraries).encode()
    parts = {
        "/*{{styles}}*/": _static("page.css"),
        "<!--{{documentation}}-->": f'<a href="{html.escape(documentation)}">Documentation</a>'
        if documentation
        else "",
        "<!--{{scripts}}-->": _scripts({"policies": shown, "meshes": drawing.parts}, assets),
    }
    page = _static("drive.html")
    for mark, text in parts.items():
        page = page.replace(mark, text)
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Written(output, found.name, tuple(bundles), len(page.encode()) / 1e6)


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the page's controller reads of ``deploy.json``."""
    kept = (
        "control_dt", "joint_names", "default_joint_pos", "joint_limits", "effort_limit", "stiffness",
        "observation", "commands", LATERAL_LIMIT, "fall",
    )  # fmt: skip
    return {name: facts[name] for name in kept if name in facts}


def _layout(simulation: MujocoSim) -> dict[str, Any]:
    """Where the page finds the robot in its model."""
    model, names = simulation.model, simulation.controller.joint_names
    root = int(model.jnt_bodyid[0])
    return {
        "start": simulation.data.qpos.tolist(),
        "qpos": [int(model.joint(name).qposadr[0]) for name in names],
        "qvel": [int(model.joint(name).dofadr[0]) for name in names],
        "root_com": model.body_ipos[root].tolist(),
        "substeps": round(simulation.dt / model.opt.timestep),
        "mass": round(float(model.body_mass.sum()), 1),
    }


def _saved(model: mujoco.MjModel) -> bytes:
    content = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, content)
    return content.tobytes()


def _static(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _scripts(config: dict[str, Any], assets: Mapping[str, bytes]) -> str:
    # "</" would end a script element, and base64 has no "<".
    lines = [f'<script type="application/json" id="config">{json.dumps(config).replace("</", "<\\/")}</script>']
    for name, content in assets.items():
        packed = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
        lines.append(f'<script type="application/gzip" id="asset-{html.escape(name)}">{packed}</script>')
    # Each file has strict mode and top-level names of its own to share: classic scripts, in this order.
    lines += [f"<script>\n{_static(f'{name}.js')}</script>" for name in _SCRIPTS]
    return "\n".join(lines)


def _licenses(robot: Robot, libraries: Mapping[str, Path]) -> str:
    """Names, versions and license texts of what the page contains."""
    entries = {
        f"MuJoCo {MUJOCO.version}, Apache-2.0": _distribution_licenses("mujoco"),
        f"ONNX Runtime Web {ONNXRUNTIME.version}, MIT": _distribution_licenses("onnxruntime"),
        f"three.js {THREE.version}, MIT": libraries["LICENSE"].read_text(encoding="utf-8"),
    }
    notice = robot.mjcf_path.parent / "LICENSE.mjlab"
    if notice.is_file():  # a robot from mjlab
        title = f"Model of {robot.name}, by Unitree, BSD-3-Clause, its meshes simplified; packaged by mjlab, Apache-2.0"
        entries[title] = _static("LICENSE.unitree") + "\n" + notice.read_text(encoding="utf-8")
    summary = "\n".join(entries)
    return summary + "".join(f"\n\n\n=== {title} ===\n\n{text}" for title, text in entries.items())


def _distribution_licenses(name: str) -> str:
    """Texts of an installed Python package that is built from the same sources."""
    texts = [file for file in metadata.files(name) or [] if re.match("LICENSE|Third", file.name)]
    return "\n\n".join(file.read_text(encoding="utf-8") for file in texts)

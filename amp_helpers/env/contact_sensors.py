"""Compare the contact sensors of a task with the bodies of its robot, before the simulator opens them."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import isaaclab.sim as sim_utils
from isaaclab.assets import AssetBaseCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab_newton.physics import NewtonCfg
from pxr import Usd, UsdPhysics

from amp_helpers.amp_state.terms import terms
from amp_helpers.errors import InputError


def check_contact_sensors(cfg: Any, task: str) -> None:
    """Check that the contact sensors of a task find bodies on assets that come from a USD file of this machine.

    A sensor of another asset, or of shapes, is left to the simulator.

    Args:
        cfg: configuration of the environment.
        task: name of the task, for messages.

    Raises:
        InputError: a sensor matches no body, or PhysX, which has to be told, is not told to report its contacts.
    """
    newton = isinstance(cfg.sim.physics, NewtonCfg)
    for name, sensor in terms(cfg.scene):
        if not isinstance(sensor, ContactSensorCfg) or getattr(sensor, "sensor_shape_prim_expr", None):
            continue
        for owner, asset in terms(cfg.scene):
            spawn = getattr(asset, "spawn", None) if isinstance(asset, AssetBaseCfg) else None
            if not isinstance(spawn, sim_utils.UsdFileCfg) or not sensor.prim_path.startswith(f"{asset.prim_path}/"):
                continue
            links = _links(spawn)
            sensed = _matching(sensor.prim_path.removeprefix(asset.prim_path), links, newton)
            where = f"task '{task}': contact sensor '{name}' ({sensor.prim_path})"
            if links and not sensed:
                names = ", ".join(link.rpartition("/")[2] for link in links)
                raise InputError(
                    f"{where} finds no link of '{owner}', whose links are {names}; correct its prim_path: "
                    f"{asset.prim_path}/.* finds all of them, and [^/]* on Newton those of one level of the file alone"
                )
            told = spawn.activate_contact_sensors or any(links[link] for link in sensed)
            if links and not told and not newton:
                raise InputError(
                    f"{where} gets no contacts from PhysX; set activate_contact_sensors=True in the spawn of '{owner}'"
                )


def _links(spawn: sim_utils.UsdFileCfg) -> dict[str, bool]:
    """Path of each rigid body below the root of a USD file -> whether the file tells PhysX to report its contacts.

    Empty where the file is not on this machine, or its links depend on variants.
    """
    stage = Usd.Stage.Open(str(spawn.usd_path)) if Path(spawn.usd_path).is_file() and not spawn.variants else None
    root = stage.GetDefaultPrim() if stage else None
    if not root:
        return {}
    bodies = (p for p in Usd.PrimRange(root, Usd.TraverseInstanceProxies()) if p.HasAPI(UsdPhysics.RigidBodyAPI))
    start = len(root.GetPath().pathString)
    return {body.GetPath().pathString[start:]: _reports_contacts(body) for body in bodies}


def _reports_contacts(body: Any) -> bool:
    """Read the schema's name alone: USD without Isaac Sim does not know the schema."""
    return "PhysxContactReportAPI" in body.GetPrimTypeInfo().GetAppliedAPISchemas()


def _matching(pattern: str, links: Collection[str], newton: bool) -> list[str]:
    """Links that a pattern names: Newton compares their whole path, PhysX their name with the pattern's last part."""
    if newton:
        return [link for link in links if re.fullmatch(pattern, link)]
    name = re.split(r"/(?![^\[]*\])", pattern)[-1]
    return [link for link in links if re.fullmatch(name, link.rpartition("/")[2])]

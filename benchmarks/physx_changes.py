"""One thing of a task's physics changed at a time, for ``benchmarks/simulators.py --simulators physx --changes``.

At last the time step and the contacts are changed together, which makes PhysX like plain MuJoCo at that step.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
from isaaclab.actuators import IdealPDActuatorCfg
from isaaclab.assets import AssetBaseCfg
from isaaclab.sim import SimulationContext, SpawnerCfg
from isaaclab.utils import configclass
from isaaclab_physx.sim.schemas import PhysxArticulationCfg, PhysxCollisionCfg, PhysxRigidBodyCfg
from isaaclab_physx.sim.spawners.materials import PhysxRigidBodyMaterialCfg
from isaaclab_tasks.utils import load_cfg_from_registry
from pxr import Sdf

from amp_helpers.env.registration import register_task
from amp_helpers.measure import MeasuringSetup
from amp_helpers.training.policy import find_policy

Change = Callable[[Any], None]
"""Changes a task's configuration in place."""


def _set_scene(prim_path: str, cfg: "SceneAttributeCfg", *_: Any, **__: Any) -> Any:
    sim: Any = SimulationContext.instance()
    scene = sim.stage.GetPrimAtPath(sim.cfg.physics_prim_path)
    scene.CreateAttribute(f"physxScene:{cfg.attribute}", getattr(Sdf.ValueTypeNames, cfg.type)).Set(cfg.value)
    return sim.stage.DefinePrim(prim_path, "Scope")


@configclass
class SceneAttributeCfg(SpawnerCfg):
    """Writes an attribute of PhysX's scene, which Isaac Lab's configuration of ovphysx does not hold."""

    func: Callable = _set_scene
    attribute: str = ""
    type: str = ""
    value: Any = None


def _scene(attribute: str, kind: str, value: Any) -> Change:
    def change(cfg: Any) -> None:
        spawn = SceneAttributeCfg(attribute=attribute, type=kind, value=value)
        cfg.scene.physx_scene = AssetBaseCfg(prim_path="/World/physx_scene", spawn=spawn)

    return change


def _ground(friction: float = 1.0, **properties: Any) -> Change:
    def change(cfg: Any) -> None:
        material = PhysxRigidBodyMaterialCfg(static_friction=friction, dynamic_friction=friction, **properties)
        cfg.scene.ground.spawn.physics_material = material

    return change


def _spring(stiffness: float, damping: float) -> Change:
    """Contacts as MuJoCo's with the time constant 2 / damping: a spring and damper whose force grows with the mass."""
    properties = {"compliant_contact_stiffness": stiffness, "compliant_contact_damping": damping}
    return _ground(compliant_contact_acceleration_spring=True, **properties)


def _articulation(**properties: Any) -> Change:
    return lambda cfg: cfg.scene.robot.spawn.articulation_props.append(PhysxArticulationCfg(**properties))


def _collision(**properties: Any) -> Change:
    return lambda cfg: setattr(cfg.scene.robot.spawn, "collision_props", {"/.*": [PhysxCollisionCfg(**properties)]})


def _bodies(**properties: Any) -> Change:
    return lambda cfg: setattr(cfg.scene.robot.spawn, "rigid_props", {"/.*": [PhysxRigidBodyCfg(**properties)]})


def _actuators(**factors: float) -> Change:
    """Multiply properties of all actuators."""

    def change(cfg: Any) -> None:
        for actuator in cfg.scene.robot.actuators.values():
            for name, factor in factors.items():
                setattr(actuator, name, factor * getattr(actuator, name))

    return change


def _joints(**values: float) -> Change:
    def change(cfg: Any) -> None:
        for actuator in cfg.scene.robot.actuators.values():
            for name, value in values.items():
                setattr(actuator, name, value)

    return change


def _explicit(cfg: Any) -> None:
    names = ("joint_names_expr", "joint_effort_limit", "stiffness", "damping", "armature")
    robot = cfg.scene.robot
    robot.actuators = {
        key: IdealPDActuatorCfg(**{name: getattr(actuator, name) for name in names})
        for key, actuator in robot.actuators.items()
    }


def _step(dt: float) -> Change:
    def change(cfg: Any) -> None:
        cfg.decimation = round(cfg.decimation * cfg.sim.dt / dt)
        cfg.sim.dt = dt

    return change


def _both(*changes: Change) -> Change:
    def change(cfg: Any) -> None:
        for one in changes:
            one(cfg)

    return change


PHYSX_CHANGES: dict[str, Change] = {
    "contact spring of 20 ms": _spring(2500.0, 100.0),
    "contact spring of 10 ms": _spring(10000.0, 200.0),
    "contact spring of 40 ms": _spring(625.0, 50.0),
    "friction 0.6": _ground(0.6, friction_combine_mode="min"),
    "friction 2": _ground(2.0, friction_combine_mode="max"),
    "friction patches 2 mm apart": _scene("frictionCorrelationDistance", "Float", 0.002),
    "friction at 4 mm": _scene("frictionOffsetThreshold", "Float", 0.004),
    "bounce threshold 0.2 m/s": _scene("bounceThreshold", "Float", 0.2),
    "PGS solver": _scene("solverType", "Token", "PGS"),
    "128 position iterations": _articulation(solver_position_iteration_count=128),
    "8 position iterations": _articulation(solver_position_iteration_count=8),
    "16 velocity iterations": _articulation(solver_velocity_iteration_count=16),
    "contact offset 20 mm": _collision(contact_offset=0.02, rest_offset=0.0),
    "rest offset -2 mm": _collision(contact_offset=0.02, rest_offset=-0.002),
    "depenetration at 0.1 m/s": _bodies(max_depenetration_velocity=0.1),
    "no gyroscopic forces": _bodies(enable_gyroscopic_forces=False),
    "no damping of bodies": _bodies(linear_damping=0.0, angular_damping=0.0),
    "joint velocity limit 20 rad/s": _joints(joint_velocity_limit=20.0),
    "joint friction 0.5 N m": _joints(friction=0.5, dynamic_friction=0.5),
    "armature 0.8": _actuators(armature=0.8),
    "armature 1.2": _actuators(armature=1.2),
    "stiffness 0.9": _actuators(stiffness=0.9),
    "stiffness 1.1": _actuators(stiffness=1.1),
    "damping 0.9": _actuators(damping=0.9),
    "damping 1.1": _actuators(damping=1.1),
    "explicit actuators": _explicit,
    "timestep 1 ms": _step(0.001),
    "timestep 1 ms, contact spring of 20 ms": _both(_step(0.001), _spring(2500.0, 100.0)),
    "PGS solver, contact spring of 20 ms": _both(_scene("solverType", "Token", "PGS"), _spring(2500.0, 100.0)),
}
"""What is changed -> the change."""


def changed_task(setup: MeasuringSetup, changed: str) -> MeasuringSetup:
    """Return a setup that measures in the policy's task with one change."""
    _, config = find_policy(setup.checkpoint, task=setup.task)
    own = register_task(config["task"])
    task = f"Changed-{list(PHYSX_CHANGES).index(changed)}-{own.id}"

    def make() -> Any:
        cfg = load_cfg_from_registry(own.id, "env_cfg_entry_point")
        PHYSX_CHANGES[changed](cfg)
        return cfg

    if task not in gymnasium.registry:
        kwargs = {"env_cfg_entry_point": make}
        gymnasium.register(id=task, entry_point=own.entry_point, disable_env_checker=True, kwargs=kwargs)
    return replace(setup, task=task)

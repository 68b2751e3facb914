"""The MuJoCo model of a bundle's robot: flat ground, the bundle's actuators, and a choice of physics."""

from dataclasses import dataclass
from typing import Any

import mujoco

from amp_helpers.errors import InputError
from amp_helpers.robots.model_file import drop_dangling_pairs
from amp_helpers.robots.robot import Robot

_INTEGRATORS = {
    "euler": mujoco.mjtIntegrator.mjINT_EULER,
    "implicitfast": mujoco.mjtIntegrator.mjINT_IMPLICITFAST,
    "implicit": mujoco.mjtIntegrator.mjINT_IMPLICIT,
    "rk4": mujoco.mjtIntegrator.mjINT_RK4,
}
_CONES = {"pyramidal": mujoco.mjtCone.mjCONE_PYRAMIDAL, "elliptic": mujoco.mjtCone.mjCONE_ELLIPTIC}


@dataclass(frozen=True, kw_only=True)
class MujocoPhysics:
    """Physics of :class:`.mujoco_sim.MujocoSim`; the defaults are those of this project's tasks on Newton."""

    friction: float = 1.0
    """Sliding friction between the robot and the ground, and of the robot with itself."""
    timestep: float | None = None
    """Physics step, s; ``None`` for the bundle's. It divides the control step."""
    integrator: str = "implicitfast"
    """``euler``, ``implicitfast``, ``implicit`` or ``rk4``."""
    cone: str = "pyramidal"
    """Friction cone, ``pyramidal`` or ``elliptic``."""
    impratio: float = 1.0
    """Impedance of friction over that of the normal force."""
    iterations: int = 20
    """Maximum number of the solver's iterations."""
    ls_iterations: int = 50
    """Maximum number of its line search's iterations."""
    solref: tuple[float, float] = (0.02, 1.0)
    """Time constant, s, and damping ratio of contacts."""
    solimp: tuple[float, float, float, float, float] = (0.9, 0.95, 0.001, 0.5, 2.0)
    """Impedance of contacts, see MuJoCo's documentation."""
    self_collisions: bool = True
    """Whether the robot's links touch each other, but for the pairs that its file excludes."""
    stiffness: float = 1.0
    """Factor on the bundle's joint stiffness."""
    damping: float = 1.0
    """Factor on the bundle's joint damping."""
    armature: float = 1.0
    """Factor on the bundle's joint armature."""
    mass: float = 1.0
    """Factor on masses and moments of inertia."""
    latency: int = 0
    """Control steps between computing a target and its effect."""

    def __post_init__(self) -> None:
        for name, known in (("integrator", _INTEGRATORS), ("cone", _CONES)):
            if getattr(self, name) not in known:
                raise InputError(f"{name} '{getattr(self, name)}' not found; available: {', '.join(known)}")


def build_model(
    facts: dict[str, Any], robot: Robot, physics: MujocoPhysics = MujocoPhysics(), *, visual: bool = False
) -> mujoco.MjModel:
    """Compile a robot on flat ground with the actuators that ``deploy.json`` states.

    Args:
        facts: content of ``deploy.json``.
        robot: whose MJCF is compiled; its own actuators, sensors, keyframes and ground are replaced.
        physics: everything else.
        visual: keep meshes that touch nothing.

    Raises:
        InputError: the robot lacks a joint of the bundle, or meshes.
    """
    if robot.missing_meshes:
        raise InputError(
            f"{robot.mjcf_path}: lacks the meshes {', '.join(robot.missing_meshes)}, and a simulator needs them; "
            "put them at the paths that the robot's file names"
        )
    spec = mujoco.MjSpec.from_file(str(robot.mjcf_path))
    if missing := [name for name in facts["joint_names"] if spec.joint(name) is None]:
        raise InputError(
            f"robot '{robot.name}' lacks the policy's joints {', '.join(missing)}; name the robot that the policy was "
            "trained on with --robot"
        )
    for own in (*spec.actuators, *spec.sensors, *spec.keys, *spec.worldbody.geoms):
        spec.delete(own)
    drop_dangling_pairs(spec)
    if not visual:
        _delete_drawings(spec)
    if not physics.self_collisions:
        for geom in spec.geoms:
            geom.conaffinity |= geom.contype
            geom.contype = 0  # the ground's has every bit
    _configure(spec, facts, physics)
    for geom in spec.geoms:
        geom.friction[0], geom.solref, geom.solimp = physics.friction, physics.solref, physics.solimp
    _add_actuators(spec, facts, physics)
    model = spec.compile()
    model.body_mass *= physics.mass
    model.body_inertia *= physics.mass
    if physics.mass != 1.0:
        mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def _configure(spec: mujoco.MjSpec, facts: dict[str, Any], physics: MujocoPhysics) -> None:
    option = spec.option
    option.timestep = physics.timestep or facts.get("physics_dt") or facts["control_dt"] / 4
    option.integrator, option.cone = _INTEGRATORS[physics.integrator], _CONES[physics.cone]
    option.impratio, option.iterations, option.ls_iterations = (
        physics.impratio,
        physics.iterations,
        physics.ls_iterations,
    )
    # MuJoCo would put a robot that diverged back to the start without an error.
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    ground = spec.worldbody.add_geom(name="ground", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.1])
    ground.contype = ground.conaffinity = 2**31 - 1  # touches whatever touches anything


def _add_actuators(spec: mujoco.MjSpec, facts: dict[str, Any], physics: MujocoPhysics) -> None:
    keys = ("joint_names", "stiffness", "damping", "armature", "effort_limit")
    for name, stiffness, damping, armature, effort in zip(*(facts[key] for key in keys), strict=True):
        joint = spec.joint(name)
        joint.armature = armature * physics.armature
        motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.set_to_position(kp=stiffness * physics.stiffness, kv=damping * physics.damping)
        # Of the joint, not of the actuator, as on Newton: MuJoCo's integrator tells the two apart.
        joint.actfrcrange, joint.actfrclimited = [-effort, effort], True


def _delete_drawings(spec: mujoco.MjSpec) -> None:
    """Delete meshes that touch nothing, on links whose mass is given."""
    for geom in list(spec.geoms):
        touches = geom.contype or geom.conaffinity
        if geom.type == mujoco.mjtGeom.mjGEOM_MESH and not touches and geom.parent.explicitinertial:
            spec.delete(geom)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in [mesh for mesh in spec.meshes if mesh.name not in used]:
        spec.delete(mesh)

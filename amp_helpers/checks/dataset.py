"""What a dataset owes the environment it is for: its control step, its joints, its default pose."""

from collections.abc import Mapping, Sequence

from amp_helpers.checks.table import Check
from amp_helpers.dataset import MotionDataset
from amp_helpers.joints import JointOrder
from amp_helpers.robots.robot import Robot


def control_step(dataset: MotionDataset, env_step_dt: float | None) -> Check:
    rates = sorted({f"{fps:.4g}" for fps in dataset.fps_source}, key=float)
    evidence = f"pairs are {dataset.dt * 1000:.4g} ms apart, resampled from {', '.join(rates)} fps"
    if env_step_dt is None:
        return Check("control step", "ok", evidence)
    evidence += f"; the environment steps {env_step_dt * 1000:.4g} ms"
    if abs(dataset.dt - env_step_dt) > 1e-6:
        remedy = f"convert again with --control_dt {env_step_dt:g}."
        return Check("control step", "fail", evidence, remedy)
    return Check("control step", "ok", evidence)


def env_joint_order(dataset: MotionDataset, env_joint_names: Sequence[str]) -> Check:
    report = JointOrder(dataset.joint_names).compare(env_joint_names)
    if report.missing:
        evidence = f"the environment's robot lacks {', '.join(report.missing)}"
        return Check("joint order", "fail", evidence, "convert for the environment's robot with --robot.")
    if report.moved:
        name, here, there = report.moved[0]
        evidence = (
            f"{len(report.moved)} of {len(dataset.joint_names)} joints have another index in the environment, first "
            f"{name}: {here} here, {there} there; AmpState maps them by name"
        )
    else:
        evidence = "the environment uses the same order"
    if report.extra:
        evidence += f"; not in the dataset: {', '.join(report.extra)}"
    return Check("joint order", "ok", evidence)


def default_pose(dataset: MotionDataset, robot: Robot, env_default_pose: Mapping[str, float]) -> list[Check]:
    """The offset that training subtracts: the sign of its angles, and whether it is the robot's."""
    return [_offset_sign(dataset, robot, env_default_pose), _offset_size(dataset, robot, env_default_pose)]


def _offset_sign(dataset: MotionDataset, robot: Robot, pose: Mapping[str, float]) -> Check:
    # MuJoCo is needed for the body only, and the data modules stay light.
    from amp_helpers.checks.body_fit import body_of

    names = [name for name in dataset.joint_names if name in pose and name in robot.joint_names]
    body = body_of(robot)
    pairs = {name: other for name, other in body.pairs.items() if name in names and other in names}
    signs = body.mirror_signs
    recipe = dict(zip(robot.joint_names, robot.default_pose().tolist(), strict=True))
    for name, other in pairs.items():
        mirrored = signs[name] * pose[other]
        # Of two sides that differ in sign alone, the one that differs from the robot's recipe too is the wrong one.
        wrong = abs(pose[name]) > 1e-3 and abs(pose[name] + mirrored) < 1e-3
        if wrong and abs(pose[name] - recipe[name]) >= abs(pose[other] - recipe[other]):
            evidence = (
                f"{name} is {pose[name]:+.3f} rad by default and {other} {pose[other]:+.3f}, but the mirror image of "
                f"the latter is {mirrored:+.3f}"
            )
            remedy = f"set {name} to {mirrored:+.3f} in init_state.joint_pos, or {other} to {-pose[other]:+.3f}."
            return Check("offset sign", "fail", evidence, remedy)
    flipped = [name for name in names if abs(recipe[name]) > 1e-3 and abs(pose[name] + recipe[name]) < 1e-3]
    if flipped:
        name = flipped[0]
        evidence = (
            f"{len(flipped)} joints have the opposite sign of {robot.name}'s recipe, first {name}: {pose[name]:+.3f} "
            f"rad there, {recipe[name]:+.3f} in the recipe"
        )
        remedy = "fine if meant; otherwise correct the sign in init_state.joint_pos."
        return Check("offset sign", "warn", evidence, remedy)
    return Check("offset sign", "ok", f"the default angles of {len(pairs) // 2} pairs of joints are mirror images")


def _offset_size(dataset: MotionDataset, robot: Robot, pose: Mapping[str, float]) -> Check:
    shared = [name for name in dataset.joint_names if name in pose]
    recipe = dict(zip(robot.joint_names, robot.default_pose().tolist(), strict=True))
    differing = [name for name in shared if abs(pose[name] - recipe.get(name, 0.0)) > 1e-3]
    if not differing:
        evidence = f"the environment's default pose is {robot.name}'s in all {len(shared)} joints; it is the AMP offset"
        return Check("default pose", "ok", evidence)
    name = max(differing, key=lambda joint: abs(pose[joint] - recipe.get(joint, 0.0)))
    evidence = (
        f"{len(differing)} of {len(shared)} joints differ from {robot.name}'s recipe, most {name}: "
        f"{pose[name]:+.3f} rad there, {recipe.get(name, 0.0):+.3f} in the recipe"
    )
    remedy = "nothing is baked into the dataset, so this is fine if meant; otherwise set init_state.joint_pos."
    return Check("default pose", "warn", evidence, remedy)

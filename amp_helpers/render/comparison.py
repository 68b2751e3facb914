"""Videos of a policy beside the clip that it imitates."""

import math
from pathlib import Path

from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.references import rollout_motion
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.phase import in_phase
from amp_helpers.render.renderer import Renderer, side_by_side, write_video
from amp_helpers.robots.robot import G1_23DOF, Robot


def write_comparison(
    path: str | Path,
    rollout: Rollout,
    reference: Motion,
    robot: Robot = G1_23DOF,
    seconds: float = 8.0,
    fps: float = 30,
) -> Path:
    """Write a real-time video of the first environment beside the looped reference, with the command above it.

    A constant command is shown from the end of the warm-up, for ``seconds``, in phase with the reference
    (:func:`amp_helpers.motion.in_phase`); one that changes from the start to the end, beside a reference of the same
    length (:func:`amp_helpers.metrics.profile_reference`).
    """
    changing = rollout.command_profile is not None
    start_s = 0.0 if changing else WARMUP_S
    policy = rollout_motion(rollout, start_s=start_s)
    if not changing:
        policy = policy.trim(0.0, min(seconds, policy.duration_s))
        reference = in_phase(reference, policy)
    with Renderer(robot) as renderer:
        frames = [renderer.video(motion, fps) for motion in (policy, reference)]
    first = round(start_s / rollout.dt)
    rows = [min(first + round(i / fps / rollout.dt), len(rollout.commands) - 1) for i in range(len(frames[0]))]
    commands = [told(*rollout.commands[row]) for row in rows]
    return write_video(path, side_by_side(*frames, labels=([f"policy, {text}" for text in commands], "reference")), fps)


def told(forward: float, turn: float) -> str:
    """A command in words; NaN is none."""
    if math.isnan(forward):
        return "no command"
    return f"{forward:g} m/s" + (f", {turn:g} rad/s" if turn else "")

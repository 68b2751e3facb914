"""The README of a bundle."""

from collections.abc import Mapping, Sequence
from typing import Any

from amp_helpers.deploy.limits import LATERAL_LIMIT
from amp_helpers.deploy.observation import takes_command


def bundle_readme(facts: Mapping[str, Any], warnings: Sequence[str]) -> str:
    """Return ``README.md``: what the files are, and how to run the policy in ten lines.

    Args:
        facts: content of ``deploy.json``.
        warnings: what a controller has to know, a sentence each.
    """
    velocity = any(entry["name"] == "base_lin_vel" for entry in facts["observation"])
    estimate = ", base_lin_vel=velocity" if velocity else ""
    obeys = takes_command(facts)
    speeds = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in facts["commands"].items())
    commands = f"Commands: {speeds} (m/s, rad/s)." if obeys else "The policy takes no command."
    if obeys and (limit := facts.get(LATERAL_LIMIT)):
        commands += f"\nTurns are trained up to {limit:g} m/s² (`{LATERAL_LIMIT}`) over the forward speed."
    command = (
        "(0.5, 0.0, 0.0)  # forward m/s, left m/s, turn rad/s" if obeys else "(0.0, 0.0, 0.0)  # which it does not see"
    )
    listed = "".join(f"- {warning}\n" for warning in warnings)
    return f"""# A policy for {facts["robot"]}

`policy.onnx` maps an observation to joint position targets (rad); `deploy.json` says what to put in and where to send
the result; `deploy.yaml` is the same for the C++ controller of unitree_rl_lab. {commands}

{listed}
## Run it

`pip install '.[deploy]'` in a clone of amp_helpers, which is on no index, then every {facts["control_dt"]:g} s:

```python
from amp_helpers.deploy import Controller

controller = Controller("this folder")  # joint arrays in the order of controller.joint_names
print(controller.joint_names, controller.stiffness, controller.damping)
controller.start()  # until then, step() returns the default pose
while running:
    gyro, gravity, joint_pos, joint_vel = read_sensors()  # rad/s and unit vector in the root's frame, rad, rad/s
    command = {command}
    targets = controller.step(gyro, gravity, joint_pos, joint_vel, command{estimate})
    send(targets)  # torque = stiffness (target - joint_pos) - damping joint_vel, within effort_limit
```

Move the robot to the default pose slowly before you start, and stop when gravity tilts by more than 1 rad. Nothing here
has been tried on hardware.

Without our code: concatenate the terms of `observation` in order, each with its last `history` frames, oldest first
(the first frame fills the history), run `policy.onnx`, send `joint_targets`; the output `actions` is the next
`last_action`, which is 0 at the start. `velocity_commands` are the command's three numbers, `joint_pos_rel` is
`joint_pos` less `default_joint_pos`, `joint_vel_rel` is `joint_vel`. A term's `joint_names` give its columns where they
differ from the list on top.
With `heading_gain`, the commanded turn is corrected while the command is not 0: add
`clip(-heading_gain * error, -max_correction, max_correction)`, where `error` is the heading less the integral of the
commanded turn.
`gait_clock` is sine and cosine of 2 pi times a phase. With every control step in which the command is not 0, the phase
grows by `control_dt` over the duration of a stride: `walk_s * max(hypot(forward, turn_radius * turn), slowest) **
walk_exponent` below a forward command of `run_from`, `run_s * forward ** run_exponent` from there on. At the start it
is that of the legs: with `d` the second joint of a pair less the first, and `v` the same of the velocities times the
duration over 2 pi, it is `atan2(knee_share * d_knee - v_hip, d_hip + knee_share * v_knee)` over 2 pi.

## unitree_rl_lab

Its controller wants a batch of 1, and this layout in its `policy_dir`:

```
mkdir -p policy/exported policy/params && cp deploy.yaml policy/params/
python -m onnxruntime.tools.make_dynamic_shape_fixed --dim_param N --dim_value 1 policy.onnx policy/exported/policy.onnx
```
"""

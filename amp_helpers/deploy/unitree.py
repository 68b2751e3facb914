"""``deploy.yaml`` as the C++ controller of unitree_rl_lab reads it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml

from amp_helpers.deploy.limits import LATERAL_LIMIT, target_limits
from amp_helpers.robots.robot import G1_29DOF

_KNOWN = ("base_ang_vel", "projected_gravity", "velocity_commands", "joint_pos_rel", "joint_vel_rel", "last_action")
"""Observations that the controller registers."""


def unitree_config(facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the content of ``deploy.yaml``, and what its reader has to know, a sentence each.

    The controller takes the output ``actions`` and computes targets itself. ``stiffness`` and ``damping`` are by motor
    slot, everything else is in the policy's order of joints.

    Args:
        facts: content of ``deploy.json``.
    """
    names = list(facts["joint_names"])
    notes = []
    if set(names) <= set(G1_29DOF.joint_names):
        slots, count = [G1_29DOF.joint_names.index(name) for name in names], len(G1_29DOF.joint_names)
    else:
        slots, count = list(range(len(names))), len(names)
        notes.append("joint_ids_map is the policy's own order: put in the motor slot of each joint of your robot")
    gains = {key: [0.0] * count for key in ("stiffness", "damping")}
    for key, values in gains.items():
        for slot, value in zip(slots, facts[key], strict=True):
            values[slot] = value
    config = {"joint_ids_map": slots, "step_dt": facts["control_dt"], **gains}
    config["default_joint_pos"] = facts["default_joint_pos"]
    commands, limits = facts["commands"], target_limits(facts)
    config["commands"] = {
        "base_velocity": {
            "ranges": {
                "lin_vel_x": commands["forward"],
                "lin_vel_y": commands.get("left", [0.0, 0.0]),
                "ang_vel_z": commands["turn"],
                "heading": None,
            }
        }
    }
    if limit := facts.get(LATERAL_LIMIT):
        notes.append(
            "the controller limits speed and turn each, not their product: a turn of more than "
            f"{limit:g} m/s^2 over the forward speed was not trained ({LATERAL_LIMIT} in deploy.json)"
        )
    config["actions"] = {
        "JointPositionAction": {
            "clip": limits.round(4).tolist() if np.isfinite(limits).all() else None,
            "joint_names": names,
            "scale": facts["action_scale"],
            "offset": facts["action_offset"],
            "joint_ids": None,
        }
    }
    config["observations"] = {entry["name"]: _term(entry) for entry in facts["observation"]}
    for entry in facts["observation"]:
        if entry["name"] not in _KNOWN:
            what = "is computed as README.md says" if entry["name"] == "gait_clock" else "returns your estimate"
            notes.append(f"the controller has no observation {entry['name']}: register one that {what}")
        if entry.get("heading_gain"):
            notes.append(
                "the controller does not correct the commanded turn by the heading error (heading_gain and "
                "max_correction in deploy.json): without it the policy walks but does not keep its heading"
            )
        if "joint_names" in entry:
            notes.append(f"{entry['name']} is in the order of its joint_names in deploy.json: set its joint_ids")
    return config, notes


def unitree_yaml(facts: Mapping[str, Any]) -> str:
    """Return ``deploy.yaml`` with its notes as comments."""
    config, notes = unitree_config(facts)
    head = [
        "For the C++ controller of unitree_rl_lab; joints in the policy's order, gains by motor slot.",
        "It needs an ONNX file with a batch of 1; README.md has the command.",
        *notes,
    ]
    text = yaml.safe_dump(config, default_flow_style=None, sort_keys=False, width=120)
    return "".join(f"# {line}\n" for line in head) + text


def _term(entry: Mapping[str, Any]) -> dict[str, Any]:
    params = {"command_name": "base_velocity"} if entry["name"] == "velocity_commands" else {}
    return {
        "params": params,
        "clip": None,
        "scale": [1.0] * entry["size"],
        "history_length": entry["history"],
    }

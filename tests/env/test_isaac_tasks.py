"""Isaac Lab's tasks, unchanged, with local substitutes for the robots on Isaac's server."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from support import train_command

from amp_helpers.agent.checkpoint import load_checkpoint
from amp_helpers.dataset import MotionDataset
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.assets import build_usd
from amp_helpers.robots.robot import G1_23DOF

pytestmark = pytest.mark.sim

ANT = (
    *("front_left_leg", "front_left_foot", "front_right_leg", "front_right_foot"),
    *("left_back_leg", "left_back_foot", "right_back_leg", "right_back_foot"),
)

# The joints that Isaac-Cartpole names; its cart runs on a rail that is fixed to the world.
CART = ("slider_to_cart", "cart_to_pole")
CARTPOLE = """<mujoco model="cartpole"><worldbody><body name="rail"><geom type="box" size=".04 4 .02"/>
<body name="cart"><joint name="slider_to_cart" type="slide" axis="0 1 0" range="-4 4"/>
<geom type="box" size=".1 .1 .1"/>
<body name="pole" pos=".12 0 0"><joint name="cart_to_pole" axis="1 0 0"/>
<geom type="capsule" fromto="0 0 0 0 0 1" size=".02"/></body></body></body></worldbody></mujoco>"""


@pytest.fixture(scope="module")
def assets(tmp_path_factory) -> Path:
    """A local asset root for ISAACSIM_ASSET_ROOT with the files that the tasks load."""
    root = tmp_path_factory.mktemp("assets")
    ant = Path(find_spec("newton").origin).parent / "examples" / "assets" / "ant.usda"  # the same ant, from Newton
    grid = "Isaac/IsaacLab/Environments/Grid/default_ground_plane_checker_v1/default_ground_plane.usda"
    for source, name in ((ant, "Isaac/Robots/IsaacSim/Ant/ant_instanceable.usd"), (G1_23DOF.ground_usd_path, grid)):
        (root / name).parent.mkdir(parents=True)
        shutil.copy(source, root / name)
    (root / "cartpole.xml").write_text(CARTPOLE)
    folder = root / "Isaac/IsaacLab/Robots/Classic/Cartpole"
    folder.mkdir(parents=True)
    build_usd(root / "cartpole.xml", folder)
    (folder / "cartpole.usda").rename(folder / "cartpole.usd")
    return root


@pytest.fixture(scope="module")
def crawl(tmp_path_factory) -> Path:
    """Two seconds of an ant that waves its legs, at the task's 60 Hz, with columns in reverse order."""
    time = np.arange(120) / 60
    rest = [
        0.0 if "leg" in name else 0.785 if name in ("front_left_foot", "right_back_foot") else -0.785 for name in ANT
    ]
    clip = Motion(
        fps=60.0,
        joint_names=ANT,
        joint_pos=rest + 0.2 * np.sin(2 * np.pi * time[:, None] + np.arange(8)),
        root_pos=np.stack([0.5 * time, 0 * time, 0 * time + 0.5], axis=1),
        root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (120, 1)),
    )
    path = tmp_path_factory.mktemp("datasets") / "crawl.npz"
    MotionDataset.from_motions([clip], joint_names=ANT[::-1], control_dt=1 / 60).save(path)
    return path


@pytest.fixture(scope="module")
def swing(tmp_path_factory) -> Path:
    """Three seconds of a cart that oscillates under its pole; the root is fixed."""
    time = np.arange(180) / 60
    clip = Motion(
        fps=60.0,
        joint_names=CART,
        joint_pos=np.stack([0.3 * np.sin(3 * time), 0.2 * np.cos(3 * time)], axis=1),
        root_pos=np.zeros((180, 3)),
        root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (180, 1)),
    )
    path = tmp_path_factory.mktemp("datasets") / "swing.npz"
    MotionDataset.from_motions([clip], joint_names=CART, control_dt=1 / 60).save(path)
    return path


@pytest.mark.parametrize(
    ("task", "clip", "joints", "actions", "frontend"),
    [("Isaac-Ant", "crawl", ANT[::-1], 8, "warp"), ("Isaac-Cartpole", "swing", CART, 1, "torch")],
)
def test_a_task_of_isaac_lab_trains_unchanged(assets, tmp_path, request, task, clip, joints, actions, frontend):
    arguments = ["--task", task, "--dataset", request.getfixturevalue(clip), "--run_dir", "run", "--frontend", frontend]
    done = train_command(tmp_path, *arguments, ISAACSIM_ASSET_ROOT=str(assets))
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["amp_state"]["joint_names"] == list(joints) and config["task"] == task
    health = json.loads((tmp_path / "run" / "health.jsonl").read_text())
    assert 0 < health["accuracy"] <= 1 and health["gradient_penalty"] > 0
    assert load_checkpoint(tmp_path / "run" / "policy.pt")["policy"]["log_std"].shape == (actions,)


def test_missing_assets_are_named_with_the_remedy(crawl, tmp_path):
    arguments = ["--task", "Isaac-Ant", "--dataset", crawl, "--run_dir", "run"]
    done = train_command(tmp_path, *arguments, ISAACSIM_ASSET_ROOT=str(tmp_path / "empty"))
    assert done.returncode == 2 and not (tmp_path / "run").exists()
    error = done.stderr.splitlines()[-1]
    assert error.startswith("error: task 'Isaac-Ant': ") and "set ISAACSIM_ASSET_ROOT to the folder" in error

"""Remedies of the rooms beside the files: commands, robots, results, figures, videos, notebooks.

Each case is a remedy, a call that ends in an error with it, and the same call with the remedy carried out.
"""

import gzip
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
from support import JOINTS, make_motion

from amp_helpers import check, pipeline
from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.convert import convert
from amp_helpers.dataset import MotionDataset
from amp_helpers.feet.gait_speed import GaitChange, at_gait_speed
from amp_helpers.feet.lock import lock_feet
from amp_helpers.formats.lafan1 import write_csv
from amp_helpers.formats.link_poses import link_poses, robot_for
from amp_helpers.formats.registry import read_motion, read_motions
from amp_helpers.motion.cycle import find_seam
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import multiply, rotate
from amp_helpers.notebook.execute import notebook_parameters, read_notebook
from amp_helpers.notebook.session import _check_run_or_empty
from amp_helpers.plots.benchmarks import command_response, throughput
from amp_helpers.render.renderer import side_by_side, write_video
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.lookup import get_robot, robot_with_links
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF, Robot
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.comparisons import read_results, write_results
from amp_helpers.training.resolving import _check_numbers, _check_run_dir
from amp_helpers.training.run_folder import read_run
from amp_helpers.widgets.joint_rows import joint_sources
from amp_helpers.widgets.training_panel import update_table

ROOT = Path(__file__).parents[1]
WALK = ROOT / "datasets" / "g1_walk.pkl"
DATASET = ROOT / "datasets" / "g1_walk.npz"
RESULTS = ROOT / "benchmarks" / "results"
RUN = ROOT / "policies" / "g1_walk"
Call = Callable[[Path], object]


def walk() -> Motion:
    return read_motion(WALK)


def flying() -> Motion:
    """Rises by several meters in a second, as with a root height in cm."""
    return replace(walk().trim(0, 1), root_pos=np.linspace([0, 0, 1], [6, 0, 9], 31))


def gmr_links(
    folder: Path, motion: Motion, robot: Robot, order: str | None = None, given: Robot | None = None
) -> Motion:
    """Read a motion without joint names, but with the places of its robot's links."""
    kinematics = Kinematics(robot)
    upright = np.tile([0.0, 0, 0, 1], (motion.num_frames, 1))
    places = kinematics.body_positions(replace(motion, root_pos=0 * motion.root_pos, root_quat=upright))
    content = {"fps": 30, "root_pos": motion.root_pos, "root_rot": motion.root_quat, "dof_pos": motion.joint_pos}
    content |= {"local_body_pos": places.astype(np.float32), "link_body_list": list(kinematics.body_names)}
    (folder / "links.pkl").write_bytes(pickle.dumps(content))
    return read_motion(folder / "links.pkl", joint_names=order, robot=given)


def snake(folder: Path, joints: int = 29, length: float = 0.02) -> Robot:
    """A robot of so many joints in a chain, none of them a G1's."""
    folder = folder / f"snake{length}"
    folder.mkdir(exist_ok=True)
    link = '<body name="b{0}" pos="0 0 -{1}"><joint name="j{0}" axis="0 1 0"/><geom size=".01"/>'
    chain = "".join(link.format(index, length) for index in range(joints)) + "</body>" * joints
    (folder / "snake.xml").write_text(
        f'<mujoco><worldbody><body name="head"><freejoint/><geom size=".05"/>{chain}</body></worldbody></mujoco>'
    )
    return get_robot(str(folder / "snake.xml"), [f"b{joints - 1}"])


def crawl(robot: Robot) -> Motion:
    times = np.arange(60)[:, None] / 5
    return Motion(
        fps=30,
        joint_names=robot.joint_names,
        joint_pos=0.4 * np.sin(times + np.arange(robot.num_joints)),
        root_pos=np.tile([0.0, 0, 0.5], (60, 1)),
        root_quat=np.tile([0.0, 0, 0, 1], (60, 1)),
    )


def stored(folder: Path, motion: Motion, names: tuple[str, ...] = ()) -> Path:
    """Write a motion that names these joints, or none."""
    content = {"fps": 30, "root_pos": motion.root_pos, "root_rot": motion.root_quat, "dof_pos": motion.joint_pos}
    (folder / "stored.pkl").write_bytes(pickle.dumps(content | ({"joint_names": names} if names else {})))
    return folder / "stored.pkl"


def nameless(folder: Path, motion: Motion, order: str | None = None, robot: Robot | None = None) -> Motion:
    """Read a motion that says nothing of its joints."""
    return read_motion(stored(folder, motion), joint_names=order, robot=robot)


def read_csv(folder: Path, motion: Motion) -> Motion:
    """Read a motion from a CSV whose header names its joints."""
    root = ("root_x", "root_y", "root_z", "root_qx", "root_qy", "root_qz", "root_qw")
    table = np.hstack([motion.root_pos, motion.root_quat, motion.joint_pos])
    np.savetxt(folder / "m.csv", table, delimiter=",", header=",".join((*root, *motion.joint_names)), comments="")
    return read_motion(folder / "m.csv", fps=30)


def lying(motion: Motion) -> Motion:
    """The motion in a world with y up."""
    turn = np.array([-np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    return replace(motion, root_pos=rotate(turn, motion.root_pos), root_quat=multiply(turn, motion.root_quat))


def standing_links(folder: Path, order: str | None = None) -> Motion:
    """A clip with all joints at 0, whose links tell no order."""
    motion = replace(walk().trim(0, 0.2), joint_pos=np.zeros((7, 29)))
    return gmr_links(folder, motion, G1_29DOF, order)


def rotation_csv(folder: Path, rotation: str) -> Motion:
    header = f"root_x,root_y,root_z,{rotation},{','.join(G1_29DOF.joint_names)}"
    table = np.hstack([walk().root_pos, 0.01 * np.ones((walk().num_frames, 3)), walk().joint_pos])
    np.savetxt(folder / "r.csv", table, delimiter=",", header=header, comments="")
    return read_motion(folder / "r.csv", fps=30)


def french(folder: Path, encoding: str) -> Motion:
    header = "root_x,root_y,root_z,root_qx,root_qy,root_qz,root_qw,\u00e9paule,coude\n"
    (folder / "e.csv").write_bytes((header + "0,0,1,0,0,0,1,0.1,0.2\n" * 3).encode(encoding))
    return read_motion(folder / "e.csv", fps=30)


def packed(folder: Path) -> Path:
    """A CSV packed with gzip."""
    write_csv(folder / "walk.csv", walk())
    (folder / "walk.csv.gz").write_bytes(gzip.compress((folder / "walk.csv").read_bytes()))
    return folder / "walk.csv.gz"


def amp_json(folder: Path, duration: object) -> Motion:
    frames = np.hstack([walk().root_pos, walk().root_quat, walk().joint_pos]).tolist()
    (folder / "walk.json").write_text(json.dumps({"FrameDuration": duration, "Frames": frames}))
    return read_motion(folder / "walk.json", robot=G1_29DOF)


def pointed(folder: Path, content: bytes) -> Motion:
    (folder / "clip.pkl").write_bytes(content)
    return read_motion(folder / "clip.pkl")


def copied(folder: Path, file: Path, name: str) -> Path:
    (folder / name).write_bytes(file.read_bytes())
    return folder / name


def results_named(folder: Path, *names: str) -> object:
    results = read_results(RESULTS / "gpu_comparisons.json")
    runs = tuple(replace(run, name=name) for run, name in zip(results.runs, names, strict=False))
    write_results(folder / "results.json", replace(results, runs=runs))
    return read_results(folder / "results.json")


def parameters(source: str) -> dict[str, object]:
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    return notebook_parameters(nbformat.v4.new_notebook(cells=[cell]))


def video(frames: int = 2, height: int = 16) -> list[np.ndarray]:
    return [np.zeros((height, 16, 3), np.uint8)] * frames


def two_clips(folder: Path) -> Path:
    convert([WALK, WALK], folder / "two.npz", weights=[1, 2], verbose=False)
    return folder / "two.npz"


CASES: list[tuple[str, Call, Call]] = [
    # --- check and convert ---
    (
        "name motion files, --dataset D.npz or --run DIR",
        lambda _: check.main([]),
        lambda _: [check.main(given) for given in ([str(WALK)], ["--dataset", str(DATASET)], ["--run", str(RUN)])],
    ),
    (
        "name one, or leave the option out",
        lambda _: check.main(["--dataset", str(DATASET), "--fps", "30"]),
        lambda _: [check.main(["--dataset", str(DATASET)]), check.main([str(WALK), "--fps", "30"])],
    ),
    (
        "name each once, and weigh motions with --weights",
        lambda f: convert([WALK], f / "d.npz", speeds=[1, 1]),
        lambda f: convert([WALK], f / "d.npz", speeds=[1], weights=[2]),
    ),
    (
        "give --speeds too, such as 1 0.6 1.4",
        lambda f: convert([WALK], f / "d.npz", speed_by="gait"),
        lambda f: convert([WALK], f / "d.npz", speed_by="gait", speeds=[1, 0.6, 1.4]),
    ),
    # --- files ---
    (
        "convert it to a dataset, or read it with read_motions",
        lambda f: read_motion(two_clips(f)),
        lambda f: [read_motions(two_clips(f)), convert([two_clips(f)], f / "d.npz")],
    ),
    (
        "known: {}",
        lambda f: read_motion((f / "clip.mov").write_bytes(b"\0\0\1\2") and f / "clip.mov"),
        lambda f: [read_motion(copied(f, WALK, "clip.pkl")), read_motions(copied(f, DATASET, "clip.npz"))],
    ),
    (
        "name an npz file in it",
        lambda f: MotionDataset.load(f),
        lambda f: MotionDataset.load(copied(f, DATASET, "walk.npz")),
    ),
    (
        "convert the motion again",
        lambda f: (np.savez(f / "d.npz", states=np.zeros((3, 2))), MotionDataset.load(f / "d.npz")),
        lambda f: (convert([WALK], f / "d.npz"), MotionDataset.load(f / "d.npz")),
    ),
    (
        "unpack it with gunzip",
        lambda f: read_motion(packed(f), fps=30),
        lambda f: (
            (f / "clip.csv").write_bytes(gzip.decompress(packed(f).read_bytes())),
            read_motion(f / "clip.csv", fps=30),
        ),
    ),
    ("store the seconds from one frame to the next", lambda f: amp_json(f, 0), lambda f: amp_json(f, 1 / 30)),
    (
        "run 'git lfs pull' in its repository",
        lambda f: pointed(f, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        lambda f: pointed(f, WALK.read_bytes()),  # what it does
    ),
    ("save it as CSV in UTF-8", lambda f: french(f, "latin-1"), lambda f: french(f, "utf-8")),
    (
        "give the robot",
        lambda _: robot_for(make_motion(joint_names=tuple(f"wing_{name}" for name in JOINTS)), None),
        lambda _: robot_for(make_motion(joint_names=tuple(f"wing_{name}" for name in JOINTS)), G1_23DOF),
    ),
    (
        "velocities need at least two",
        lambda _: link_poses(walk().trim(0, 0), G1_29DOF),
        lambda _: link_poses(walk().trim(0, 1 / 30), G1_29DOF),
    ),
    (
        "give it with --joint_order {}",
        standing_links,
        lambda f: [standing_links(f, order) for order in ("robot", "physx")],
    ),
    (
        "give that robot's model with --robot and the order of its columns with --joint_order",
        lambda f: gmr_links(f, crawl(snake(f)), snake(f)),
        lambda f: gmr_links(f, crawl(snake(f)), snake(f), "robot", snake(f)),
    ),
    (
        "give that robot's model with --robot",
        lambda f: gmr_links(f, crawl(snake(f)), snake(f), given=snake(f, length=0.08)),
        lambda f: gmr_links(f, crawl(snake(f)), snake(f), given=snake(f)),
    ),
    (
        "leave it out, for the links to decide, or give the one that the file was written in",
        lambda f: gmr_links(f, walk(), G1_29DOF, "physx"),
        lambda f: [gmr_links(f, walk(), G1_29DOF, order) for order in (None, "g1_29dof")],
    ),
    (
        "name the robot that the file was made for with --robot, or the joints in the file (joint_names, or a CSV's "
        "header) in place of --joint_order",
        lambda f: nameless(f, crawl(snake(f, 17)), "robot"),
        lambda f: [
            nameless(f, crawl(snake(f, 17)), "robot", snake(f, 17)),
            read_motion(stored(f, crawl(snake(f, 17)), snake(f, 17).joint_names)),
            read_csv(f, walk().select(G1_29DOF.joint_names[:17])),
        ],
    ),
    (
        "name the robot that the file was made for with --robot, or the order of its columns with --joint_order",
        lambda f: nameless(f, replace(walk(), joint_pos=walk().joint_pos - 1.5), None, G1_29DOF),
        lambda f: nameless(f, replace(walk(), joint_pos=walk().joint_pos - 1.5), "robot", snake(f)),
    ),
    (
        "name Euler angles root_roll, root_pitch, root_yaw, or a rotation vector root_rotvec_x, root_rotvec_y, "
        "root_rotvec_z",
        lambda f: rotation_csv(f, "root_rot_x,root_rot_y,root_rot_z"),
        lambda f: [
            rotation_csv(f, "root_roll(rad),root_pitch(rad),root_yaw(rad)"),
            rotation_csv(f, "root_rotvec_x,root_rotvec_y,root_rotvec_z"),
        ],
    ),
    (
        "give --up y, or --up z to keep it as it is",
        lambda f: nameless(f, lying(walk()), robot=G1_29DOF),
        lambda f: [read_motion(stored(f, lying(walk())), robot=G1_29DOF, up=up) for up in ("y", "z")],
    ),
    # --- feet, cycles, robots ---
    ("give a number from 0 to 1", lambda _: GaitChange(balance=1.1), lambda _: GaitChange(balance=1)),
    (
        "check the robot, the joint order and the root height",
        lambda _: [lock_feet(flying(), Kinematics(G1_29DOF))],
        lambda _: lock_feet(replace(flying(), root_pos=walk().trim(0, 1).root_pos), Kinematics(G1_29DOF)),
    ),
    (
        "check the robot, the joint order and the root height",
        lambda _: at_gait_speed(flying(), Kinematics(G1_29DOF), 0.5),
        lambda _: at_gait_speed(walk().trim(0, 1), Kinematics(G1_29DOF), 0.5),
    ),
    ("give a longer clip", lambda _: find_seam(walk().trim(0, 0.1)), lambda _: find_seam(walk())),
    (
        "name the robot with --robot, by its MJCF or URDF",
        lambda _: robot_with_links(["b0", "b28"]),
        lambda f: [snake(f), robot_with_links(G1_23DOF.foot_bodies)],
    ),
    (
        "select them first",
        lambda _: joint_sources(G1_29DOF.joint_names, G1_23DOF.joint_names, "by name"),
        lambda _: joint_sources(walk().select(G1_23DOF.joint_names).joint_names, G1_23DOF.joint_names, "by name"),
    ),
    # --- training and its results ---
    (
        "choose a folder as --run_dir",
        lambda f: _check_run_dir(copied(f, WALK, "file"), None),
        lambda f: _check_run_dir(f / "folder", None),
    ),
    (
        "raise num_envs or rollouts",
        lambda _: _check_numbers(replace(TrainCfg(), num_envs=1, agent=AmpAgentCfg(rollouts=1))),
        lambda _: [
            _check_numbers(replace(TrainCfg(), num_envs=envs, agent=AmpAgentCfg(rollouts=rollouts)))
            for envs, rollouts in ((2, 1), (1, 2))
        ],
    ),
    ("rename one", lambda f: results_named(f, "a", "a"), lambda f: results_named(f, "a", "b")),
    (
        "benchmarks/{} writes it",
        lambda f: command_response({"walk": copied(f, RESULTS / "convert.json", "r.json")}),
        lambda _: command_response({"walk": RESULTS / "command_range.json"}),
    ),
    (
        "benchmarks/{} writes it",
        lambda f: throughput(copied(f, RESULTS / "convert.json", "r.json")),
        lambda _: throughput(RESULTS / "throughput.json"),
    ),
    (
        "available: {} to {}",
        lambda _: update_table(read_run(RUN), 10**6),
        lambda _: [update_table(read_run(RUN), update.health.update) for update in read_run(RUN).updates[:: 10**9]],
    ),
    # --- videos and notebooks ---
    (
        "render both before joining them",
        lambda _: side_by_side(video(), video(0), ("a", "b")),
        lambda _: side_by_side(video(), video(1), ("a", "b")),
    ),
    (
        "render both at the same size",
        lambda _: side_by_side(video(), video(height=32), ("a", "b")),
        lambda _: side_by_side(video(), video(), ("a", "b")),
    ),
    (
        "render some first",
        lambda f: write_video(f / "v.mp4", video(0), 10),
        lambda f: write_video(f / "v.mp4", video(), 10),
    ),
    (
        "only assignments of literals are allowed, so compute other values in the next cell",
        lambda _: parameters("seconds = 2 * 5"),
        lambda _: parameters("seconds = 10"),
    ),
    (
        "available: {}{}",
        lambda _: read_notebook(ROOT / "notebooks" / "07.ipynb"),
        lambda _: [read_notebook(path) for path in (ROOT / "notebooks").glob("*.ipynb")],
    ),
    (
        "move it, or choose another output_dir",
        lambda f: (copied(f, WALK, "mine.pkl"), _check_run_or_empty(f)),
        lambda f: (
            copied(f, WALK, "mine.pkl"),
            _check_run_or_empty(f / "other"),
            (f / "mine.pkl").unlink(),
            _check_run_or_empty(f),
        ),
    ),
    (
        "name the folder with --output",
        lambda f: pipeline.run([], f, {"output_dir": str(f)}),
        lambda f: pipeline.run([], f),
    ),
]

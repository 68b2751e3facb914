"""Each remedy that an error proposes is applied, and the error is gone; or ``remedies.toml`` says why it is not tried.

A new message fails :func:`test_every_remedy_is_tried_or_explained` until its remedy is listed: here with a wrong and a
right call, or in ``remedies.toml`` with the test that applies it or a reason.
"""

import pickle
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from remedies import PACKAGE, matches, proposed
from remedy_cases import CASES as OTHER_ROOMS
from remedy_file_cases import CASES as FILES
from support import JOINTS, make_motion

from amp_helpers import check, drive, evaluate, pipeline, refine, study, train
from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.checks.preflight import check_run
from amp_helpers.convert import convert
from amp_helpers.convert import main as convert_main
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.feet.edits import Edit, default_robot, refine_file
from amp_helpers.feet.gait_speed import GaitChange
from amp_helpers.feet.lock import find_stance
from amp_helpers.formats.csv_table import LAYOUT
from amp_helpers.formats.gmr import write_gmr
from amp_helpers.formats.lafan1 import write_csv
from amp_helpers.formats.model_evidence import orders
from amp_helpers.formats.registry import read_motion
from amp_helpers.joints import JointOrder, expand_patterns
from amp_helpers.motion.cycle import close_loop
from amp_helpers.motion.motion import Motion
from amp_helpers.notebook import site
from amp_helpers.notebook.execute import check_parameters
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.lookup import get_robot, named_robot
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF, Robot
from amp_helpers.training.comparisons import read_results
from amp_helpers.training.run_folder import read_run

ROOT = Path(__file__).parents[1]
WALK = ROOT / "datasets" / "g1_walk.pkl"
LIST = tomllib.loads(Path(__file__).with_name("remedies.toml").read_text())


def clip(**changes: object) -> Motion:
    return make_motion(**changes)


def pairs(**changes: object) -> MotionDataset:
    return replace(MotionDataset.from_motions([clip()], joint_names=JOINTS, control_dt=0.02), **changes)


def made(folder: Path, motion: object = WALK, **options: object) -> MotionDataset:
    """Convert; ``output`` among the options names the dataset."""
    motions = motion if isinstance(motion, list) else [motion]
    return convert(motions, **({"output": folder / "made.npz", "control_dt": 0.02, "robot": G1_23DOF} | options))


def csv(folder: Path, text: str | None = None, motion: Motion | None = None) -> Path:
    file = folder / "clip.csv"
    if text is None:
        write_csv(file, motion or read_motion(WALK))
    else:
        file.write_text(text)
    return file


def pickled(folder: Path, name: str = "clip.pkl", **changes: object) -> Path:
    write_gmr(folder / name, replace(read_motion(WALK), **changes))
    return folder / name


def robot_file(folder: Path, joint: str = 'name="knee"', kind: str = "hinge", free: str = "<freejoint/>") -> Path:
    file = folder / "robot.xml"
    file.write_text(
        f'<mujoco><worldbody><body name="base" pos="0 0 1">{free}<geom size=".1"/><body name="foot" pos="0 0 -.5">'
        f'<joint {joint} type="{kind}"/><geom size=".1"/></body></body></worldbody></mujoco>'
    )
    return file


ROOT_HEADER = ["root_x", "root_y", "root_z", "root_qx", "root_qy", "root_qz", "root_qw"]


def table(folder: Path, header: list[str] | None = None, scale: float = 1.0, times: np.ndarray | None = None) -> Motion:
    """Read the walk from a CSV under this header, its numbers multiplied."""
    walk = read_motion(WALK)
    columns = [walk.root_pos * scale, walk.root_quat, walk.joint_pos * scale]
    names = [*ROOT_HEADER, *walk.joint_names] if header is None else [*header, *walk.joint_names[len(header) - 7 :]]
    if times is not None:
        names, columns = ["time", *names], [times[:, None], *columns]
    np.savetxt(folder / "t.csv", np.hstack(columns), delimiter=",", header=",".join(names), comments="")
    return read_motion(folder / "t.csv", fps=None if times is not None else 30)


def units(position: str = "(m)", first: str = "(rad)", others: str = "(rad)") -> list[str]:
    """A whole header of the walk with units."""
    root = [f"root_{axis}{position}" for axis in "xyz"]
    return [
        *root,
        *ROOT_HEADER[3:],
        f"{G1_29DOF.joint_names[0]}{first}",
        *(f"{n}{others}" for n in G1_29DOF.joint_names[1:]),
    ]


def gmr(
    folder: Path, names: object = None, order: str | None = None, robot: Robot | None = None, **changes: object
) -> Motion:
    """Read the walk from a GMR pickle with other arrays, and names of its columns."""
    walk = read_motion(WALK)
    content = {"fps": 30.0, "root_pos": walk.root_pos, "root_rot": walk.root_quat, "dof_pos": walk.joint_pos} | changes
    if names is not None:
        content["dof_names"] = names
    (folder / "g.pkl").write_bytes(pickle.dumps({k: v for k, v in content.items() if v is not None}))
    return read_motion(folder / "g.pkl", joint_names=order, robot=robot)


def pickled_waist(folder: Path) -> Motion:
    names = ["waist_roll_joint", "waist_pitch_joint"]
    return gmr(folder, names, dof_pos=read_motion(WALK).select(names).joint_pos)


def breadth_first(folder: Path, order: str | None = None) -> Motion:
    """Read the walk from columns in PhysX's order, which nothing in the file tells."""
    names = next(known.names for known in orders(29, G1_29DOF) if known.breadth_first)
    return gmr(folder, order=order, robot=G1_29DOF, dof_pos=read_motion(WALK).select(names).joint_pos)


def run_with(folder: Path, config: str) -> Path:
    (folder / "config.json").write_text(config)
    return folder


NAMES29 = list(G1_29DOF.joint_names)
STEADY = np.arange(153) / 30
UNSTEADY = STEADY + 0.02 * (np.arange(153) % 2)

Call = Callable[[Path], object]
CASES: list[tuple[str, Call, Call]] = [
    # --- joints and clips: the error, and the same with the remedy applied ---
    ("give every joint once", lambda _: JointOrder(("a", "b", "a")), lambda _: JointOrder(("a", "b"))),
    (
        "give one column each",
        lambda _: JointOrder(("a",)).reorder(np.zeros((2, 3)), ("a", "b")),
        lambda _: JointOrder(("a",)).reorder(np.zeros((2, 2)), ("a", "b")),
    ),
    (
        "make the patterns exclude each other",
        lambda _: expand_patterns({"left_.*": 1, ".*_pitch_joint": 2}, JOINTS[:2]),
        lambda _: expand_patterns({"left_.*_roll_joint": 1, ".*_pitch_joint": 2}, JOINTS[:2]),
    ),
    ("correct it", lambda _: expand_patterns({"left(": 1}, JOINTS), lambda _: expand_patterns({"left.*": 1}, JOINTS)),
    (
        "available: {}",
        lambda _: JointOrder(JOINTS).index("tail"),
        lambda _: [JointOrder(JOINTS).index(j) for j in JOINTS],
    ),
    (
        "give the frames per second as a positive number",
        lambda _: replace(clip(), fps=0.0),
        lambda _: replace(clip(), fps=30.0),
    ),
    ("give a positive number", lambda _: clip(weight=-1.0), lambda _: clip(weight=0.5)),
    ("give a clip of at least one frame", lambda _: clip(frames=0), lambda _: clip(frames=1)),
    (
        "normalize it first",
        lambda _: clip(root_quat=np.tile([0, 0, 0, 2.0], (61, 1))),
        lambda _: clip(root_quat=np.tile([0, 0, 0, 2.0], (61, 1)) / 2),
    ),
    (
        "repair the clip",
        lambda _: clip(root_pos=np.full((61, 3), np.nan)),
        lambda _: clip(root_pos=np.nan_to_num(np.full((61, 3), np.nan))),
    ),
    ("expected {}", lambda _: clip(root_pos=np.zeros((61, 2))), lambda _: clip(root_pos=np.zeros((61, 3)))),
    ("give a forward speed in m/s and a turn in rad/s", lambda _: clip(command=(1,)), lambda _: clip(command=(1, 0))),
    ("give seconds, such as 0.02 for 50 Hz", lambda _: clip().resample(50), lambda _: clip().resample(0.02)),
    (
        "check its frame rate, or take longer steps",
        lambda _: clip(fps=1e-6).resample(0.02),
        lambda _: clip().resample(0.02),
    ),
    ("the clip runs from 0 to {} s", lambda _: clip().trim(5.0), lambda _: clip().trim(0.0, clip().duration_s)),
    ("give at least 1", lambda _: clip().loop(0), lambda _: clip().loop(1)),
    ("give a value between 0 and {}", lambda _: clip().smooth(15.0), lambda _: clip().smooth(14.9)),
    ("velocities and loops need at least two", lambda _: clip(frames=1).joint_vel, lambda _: clip(frames=2).joint_vel),
    (
        "give both or neither",
        lambda _: close_loop(clip(), 0.1),
        lambda _: (close_loop(clip(), 0.1, 1), close_loop(clip())),
    ),
    ("give a longer cycle", lambda _: close_loop(clip(), 0.1, 0.12), lambda _: close_loop(clip(), 0.1, 0.5)),
    ("give a number from 0 upward", lambda _: GaitChange(stride=-1.0), lambda _: GaitChange(stride=0.0)),
    ("give a number of rad/s", lambda _: GaitChange(turn=np.nan), lambda _: GaitChange(turn=0.4)),
    ("give a number", lambda _: GaitChange(lean=np.inf), lambda _: GaitChange(lean=0.5)),
    # --- datasets ---
    (
        "keep at least one",
        lambda _: pairs().select([]),
        lambda _: pairs().select(JOINTS[:1]),
    ),
    (
        "give a longer clip",
        lambda _: MotionDataset.from_motions([clip(frames=1)], joint_names=JOINTS, control_dt=0.02),
        lambda _: MotionDataset.from_motions([clip(frames=2)], joint_names=JOINTS, control_dt=0.02),
    ),
    (
        "name at least one file",
        lambda _: MotionDataset.from_motions([], joint_names=JOINTS, control_dt=0.02),
        lambda _: MotionDataset.from_motions([clip()], joint_names=JOINTS, control_dt=0.02),
    ),
    (
        "convert the motion with --control_dt {}",
        lambda folder: made(folder).for_environment(control_dt=0.01),
        lambda folder: made(folder, control_dt=0.01).for_environment(control_dt=0.01),
    ),
    (
        "name a task of that robot with --task, or convert the motion with --robot set to the task's",
        lambda folder: made(folder).for_environment(joint_names=G1_29DOF.joint_names),
        lambda folder: made(folder, robot=G1_29DOF).for_environment(joint_names=G1_29DOF.joint_names),
    ),
    (
        "make a dataset with 'python -m amp_helpers.convert'",
        lambda folder: MotionDataset.load(folder / "made.npz"),
        lambda folder: (made(folder), MotionDataset.load(folder / "made.npz")),
    ),
    # --- convert ---
    ("choose such a name", lambda folder: made(folder, output=folder / "x.pkl"), made),
    ("name at least one motion file or folder", lambda folder: made(folder, []), lambda folder: made(folder, [WALK])),
    ("give positive numbers, 1 for a clip as it is", lambda f: made(f, speeds=[0]), lambda f: made(f, speeds=[1, 0.8])),
    (
        "give one of {}",
        lambda folder: made(folder, speeds=[0.8], speed_by="slower"),
        lambda folder: made(folder, speeds=[0.8], speed_by="time"),
    ),
    (
        "give one for each file, folder or pattern",
        lambda folder: made(folder, [WALK, WALK], weights=[1]),
        lambda folder: made(folder, [WALK, WALK], weights=[1, 2]),
    ),
    (
        "give a positive number, and leave out unwanted motions",
        lambda folder: made(folder, [WALK, WALK], weights=[1, 0]),
        lambda folder: made(folder, [WALK], weights=[1]),
    ),
    (
        "choose the robot it was made for with --robot, or hold them at the default pose with --fill_missing",
        lambda f: made(f, csv(f, motion=read_motion(WALK).select(G1_23DOF.joint_names)), fps=30, robot=G1_29DOF),
        lambda f: (
            made(f, csv(f, motion=read_motion(WALK).select(G1_23DOF.joint_names)), fps=30),
            made(
                f,
                csv(f, motion=read_motion(WALK).select(G1_23DOF.joint_names)),
                fps=30,
                fill_missing=True,
                robot=G1_29DOF,
            ),
        ),
    ),
    (
        "give the frames per second it was recorded at, {}",
        lambda folder: made(folder, csv(folder)),
        lambda folder: made(folder, csv(folder), fps=30),
    ),
    (
        "give the frames per second, a number from {} to {}",
        lambda folder: made(folder, csv(folder), fps=0.001),
        lambda folder: made(folder, csv(folder), fps=1),
    ),
    (
        "choose another --output",
        lambda folder: (made(folder), made(folder, folder / "made.npz", output=folder / "made.npz")),
        lambda folder: (made(folder), made(folder, folder / "made.npz", output=folder / "other.npz")),
    ),
    # --- names and orders of columns ---
    ("name every column once", lambda f: gmr(f, ["a"] * 29), lambda f: gmr(f, NAMES29)),
    ("store one name per column of {}", lambda f: gmr(f, 7), lambda f: gmr(f, NAMES29)),
    (
        "they must be equal, so give the order that the file was written in",
        lambda folder: gmr(folder, order="g1_23dof"),
        lambda folder: gmr(folder, order="g1_29dof"),
    ),
    (
        "leave the joint order out",
        lambda folder: gmr(folder, NAMES29[::-1], order="g1_29dof"),
        lambda folder: gmr(folder, NAMES29[::-1]),
    ),
    (
        "leave it out",
        lambda folder: gmr(folder, order="names"),
        lambda folder: gmr(folder),
    ),
    (
        "rename them, or name the robot that the file was made for with --robot",
        lambda folder: made(
            folder, table(folder, [*ROOT_HEADER, "wing"]).name and folder / "t.csv", fps=30, robot=G1_29DOF
        ),
        lambda folder: made(folder, table(folder).name and folder / "t.csv", fps=30, robot=G1_29DOF),
    ),
    ("give angles in rad or deg", lambda f: table(f, units(first="(m)")), lambda f: table(f, units(first="(deg)"))),
    (
        "name those columns, such as {}",
        lambda folder: table(folder, ["a", "b", "c", *ROOT_HEADER[3:]]),
        lambda folder: table(folder, ["root_x", "root_y", "root_z", *ROOT_HEADER[3:]]),
    ),
    (
        "name each once",
        lambda f: table(f, ["root_x", "root_x", "root_z", *ROOT_HEADER[3:]]),
        lambda f: table(f, ROOT_HEADER),
    ),
    (
        "give them one",
        lambda folder: table(folder, ["root_x(cm)", "root_y(m)", "root_z(cm)", *ROOT_HEADER[3:]]),
        lambda folder: table(folder, units("(cm)")),
    ),
    (
        "give it in m, cm or mm",
        lambda f: table(f, units("(rad)")),
        lambda f: [table(f, units(u)) for u in ("(m)", "(cm)", "(mm)")],
    ),
    (
        "write it into the header, as root_z(m), root_z(cm) or root_z(mm) for all three columns",
        lambda folder: table(folder, scale=100),
        lambda folder: (
            table(folder, units("(cm)", "(deg)", "(deg)"), 100),
            table(folder, units("(mm)", "(deg)", "(deg)"), 100),
        ),
    ),
    (
        "divide it by 100 if it is in centimeters, by 1000 if in millimeters",
        lambda folder: [gmr(folder, root_pos=read_motion(WALK).root_pos * factor) for factor in (100, 1000)],
        lambda folder: gmr(folder, root_pos=read_motion(WALK).root_pos * 100 / 100),
    ),
    (
        "multiply it by pi / 180 if it is in degrees",
        lambda folder: gmr(folder, dof_pos=np.degrees(read_motion(WALK).joint_pos)),
        lambda folder: gmr(folder, dof_pos=np.degrees(read_motion(WALK).joint_pos) * np.pi / 180),
    ),
    (
        "write it into the header, as {}(deg) for every joint",
        lambda folder: table(folder, ["root_x(cm)", "root_y(cm)", "root_z(cm)", *ROOT_HEADER[3:]], 100),
        lambda folder: table(folder, units("(cm)", "(deg)", "(deg)"), 100),
    ),
    (
        "resample the motion, or take that column away and give --fps",
        lambda folder: table(folder, times=UNSTEADY),
        lambda folder: (table(folder, times=STEADY), table(folder)),
    ),
    (
        f"give a CSV with a row per frame: {LAYOUT}",
        lambda folder: read_motion(csv(folder, "")),
        lambda folder: read_motion(csv(folder), fps=30),
    ),
    (
        f"give a row per frame: {LAYOUT}",
        lambda folder: read_motion(csv(folder, "1,2\n3\n")),
        lambda folder: read_motion(csv(folder), fps=30),
    ),
    (
        "a header that names the joints serves too, or --joint_order robot with your --robot",
        lambda folder: read_motion(csv(folder, "0,0,1,0,0,0,1,0.1,0.2\n" * 3), fps=30),
        lambda folder: (
            read_motion(csv(folder, ",".join([*ROOT_HEADER, "a", "b"]) + "\n" + "0,0,1,0,0,0,1,0.1,0.2\n" * 3), fps=30),
            read_motion(
                csv(folder, "0,0,1,0,0,0,1,0.1\n" * 3),
                fps=30,
                joint_names="robot",
                robot=get_robot(str(robot_file(folder))),
            ),
        ),
    ),
    ("check it", lambda f: made(f, f / "*.pkl"), lambda f: (pickled(f), made(f, f / "*.pkl"))),
    ("name a folder that does", lambda f: made(f, f), lambda f: (pickled(f), made(f, f))),
    ("store the frames per second", lambda f: gmr(f, fps="fast"), lambda f: gmr(f, fps=30)),
    ("give a motion with frames", lambda f: gmr(f, root_pos=np.zeros((0, 3))), gmr),
    ("export one motion per file", lambda f: gmr(f, root_pos=np.zeros((2, 153, 3))), gmr),
    ("repair or cut the clip", lambda f: gmr(f, root_pos=np.full((153, 3), np.inf)), gmr),
    ("export the motion again", lambda f: gmr(f, root_pos="none"), gmr),
    ("add what is missing, or give the motion in another format", lambda f: gmr(f, root_rot=None), gmr),
    (
        "store it as a CSV with a header that names root and joints, or as a dict with the keys of a format",
        lambda f: ((f / "a.pkl").write_bytes(pickle.dumps(np.zeros((39, 36)))), read_motion(f / "a.pkl")),
        lambda f: (table(f), gmr(f)),
    ),
    (
        "give one of these ({})",
        lambda f: ((f / "a.pkl").write_bytes(pickle.dumps({"zebra": 1})), read_motion(f / "a.pkl")),
        gmr,
    ),
    (
        "give the .pkl that the retargeting wrote",
        lambda f: ((f / "a.pkl").write_bytes(b"\x80\x04nonsense"), read_motion(f / "a.pkl")),
        gmr,
    ),
    (
        "available: auto, {}",
        lambda _: read_motion(WALK, quaternion="zyx"),
        lambda _: [read_motion(WALK, quaternion=q) for q in ("auto", "xyzw")],
    ),
    (
        "give the order that it was written in with --joint_order: {}",
        lambda folder: breadth_first(folder),
        lambda folder: breadth_first(folder, order="physx"),
    ),
    (
        "choose the robot it was made for with --robot",
        lambda folder: (pickled_waist(folder), made(folder, folder / "g.pkl")),
        lambda folder: (pickled_waist(folder), made(folder, folder / "g.pkl", robot=G1_29DOF, fill_missing=True)),
    ),
    # --- refine ---
    ("give {}", lambda _: Edit("trim", ()), lambda _: [Edit("trim", values) for values in ((0.1, 0.5),)]),
    (
        "name at least one of {}",
        lambda folder: refine_file(WALK, folder / "new.pkl", []),
        lambda folder: refine_file(WALK, folder / "new.pkl", [Edit("ground")]),
    ),
    (
        "choose a name that ends in .pkl",
        lambda folder: refine_file(WALK, folder / "new.csv", [Edit("ground")]),
        lambda folder: refine_file(WALK, folder / "new.pkl", [Edit("ground")]),
    ),
    (
        "choose another name",
        lambda folder: refine_file(pickled(folder), folder / "clip.pkl", [Edit("ground")]),
        lambda folder: refine_file(pickled(folder), folder / "other.pkl", [Edit("ground")]),
    ),
    (
        "name your robot's MJCF file with --robot",
        lambda _: default_robot(clip(joint_names=[f"wing_{i}" for i in range(5)])),
        lambda _: default_robot(read_motion(WALK)),
    ),
    # --- robots ---
    (
        "name its file with --robot too",
        lambda _: named_robot(None, ["foot"]),
        lambda folder: named_robot(str(robot_file(folder)), ["foot"]),
    ),
    (
        "give the robot's MJCF or URDF",
        lambda f: get_robot(str(f / "none.xml")),
        lambda f: get_robot(str(robot_file(f))),
    ),
    (
        "correct the file or what it includes",
        lambda folder: get_robot(str(robot_file(folder, kind="wheel"))),
        lambda folder: get_robot(str(robot_file(folder))),
    ),
    (
        "give a file of the robot alone, with a <freejoint/> in its root body",
        lambda folder: get_robot(str(robot_file(folder, free=""))),
        lambda folder: get_robot(str(robot_file(folder))),
    ),
    (
        "name every joint, as datasets need",
        lambda folder: get_robot(str(robot_file(folder, joint=""))),
        lambda folder: get_robot(str(robot_file(folder))),
    ),
    (
        "available: {}, a path of an MJCF (.xml) or URDF file, or package.module:NAME",
        lambda _: get_robot("g2"),
        lambda folder: [get_robot(name) for name in ("g1_23dof", "g1_29dof", str(robot_file(folder)))],
    ),
    (
        "give model_file, or make it with Robot.from_file",
        lambda _: replace(G1_23DOF, mjlab_file=""),
        lambda folder: (
            replace(G1_23DOF, mjlab_file="", model_file=robot_file(folder)),
            Robot.from_file(robot_file(folder)),
        ),
    ),
    (
        "select joints in pairs before mirroring",
        lambda _: Kinematics(G1_23DOF).mirror(read_motion(WALK).select(["left_knee_joint"])),
        lambda _: Kinematics(G1_23DOF).mirror(read_motion(WALK).select(["left_knee_joint", "right_knee_joint"])),
    ),
    (
        "there is no left and right to exchange",
        lambda _: Kinematics(G1_29DOF).mirror(read_motion(WALK).select(["waist_pitch_joint"])),
        lambda _: Kinematics(G1_29DOF).mirror(read_motion(WALK).select(["left_knee_joint", "right_knee_joint"])),
    ),
    (
        "give --feet beside a robot's file only",
        lambda _: get_robot("g1_23dof", ["foot"]),
        lambda folder: get_robot(str(robot_file(folder)), ["foot"]),
    ),
    (
        "give a clip of at least two to detect stance",
        lambda _: find_stance(read_motion(WALK).trim(0, 0), Kinematics(G1_29DOF)),
        lambda _: find_stance(read_motion(WALK).trim(0, 0.04), Kinematics(G1_29DOF)),
    ),
    # --- folders of runs and results ---
    (
        "wait for the first one, or name another run folder",
        lambda folder: check_run(folder),
        lambda folder: check_run(ROOT / "policies" / "g1_walk"),
    ),
    (
        "give a folder that training has begun to write",
        lambda folder: read_run(folder / "none"),
        lambda folder: read_run(folder),
    ),
    (
        "take the file from the repository",
        lambda folder: read_results(folder / "none.json"),
        lambda _: read_results(ROOT / "benchmarks" / "results" / "gpu_comparisons.json"),
    ),
    (
        "take the file that training wrote",
        lambda folder: read_run(run_with(folder, "[]")),
        lambda folder: read_run(run_with(folder, (ROOT / "policies" / "g1_walk" / "config.json").read_text())),
    ),
    # --- settings ---
    (
        "choose from: {}",
        lambda _: AmpState(joint_names=JOINTS, features=("speed",)),
        lambda _: AmpState(joint_names=JOINTS, features=tuple(FEATURE_DIMS)),
    ),
    (
        "give a window of at least 2 frames and a stride of at least 1 step",
        lambda _: AmpState(joint_names=JOINTS, window=1),
        lambda _: AmpState(joint_names=JOINTS, window=2, stride=1),
    ),
    (
        "drop fewer joints",
        lambda _: AmpState(joint_names=JOINTS).without((".*",)),
        lambda _: AmpState(joint_names=JOINTS).without(("left.*",)),
    ),
    (
        "shorten the window ({} frames, stride {}) or use longer clips",
        lambda _: AmpState(joint_names=JOINTS, window=200).from_dataset(pairs(), dict.fromkeys(JOINTS, 0.0)),
        lambda _: AmpState(joint_names=JOINTS, window=20).from_dataset(pairs(), dict.fromkeys(JOINTS, 0.0)),
    ),
    (
        "it has: {}",
        lambda _: AmpState(joint_names=JOINTS).from_dataset(pairs(), {}),
        lambda _: AmpState(joint_names=JOINTS).from_dataset(pairs(), dict.fromkeys(JOINTS, 0.0)),
    ),
    (
        "give at least min_learning_rate, {}",
        lambda _: AmpAgentCfg(max_learning_rate=1e-6).validate(),
        lambda _: AmpAgentCfg(max_learning_rate=1e-5).validate(),
    ),
    (
        "give two increasing numbers of updates from 0 on",
        lambda _: AmpAgentCfg(final_kl_updates=(9, 9)).validate(),
        lambda _: AmpAgentCfg(final_kl_updates=(0, 9)).validate(),
    ),
    (
        "give at most learning_epochs, {}",
        lambda _: AmpAgentCfg(learning_epochs=1, discriminator_epochs=2).validate(),
        lambda _: AmpAgentCfg(learning_epochs=1, discriminator_epochs=1).validate(),
    ),
    (
        "name each feature once",
        lambda _: AmpState(joint_names=JOINTS, features=("joint_pos", "joint_pos")),
        lambda _: AmpState(joint_names=JOINTS, features=("joint_pos",)),
    ),
    ("give at least {}", lambda _: AmpAgentCfg(rollouts=0).validate(), lambda _: AmpAgentCfg(rollouts=1).validate()),
    (
        "give a number above 0",
        lambda _: AmpAgentCfg(initial_std=0).validate(),
        lambda _: AmpAgentCfg(initial_std=0.1).validate(),
    ),
    (
        "give a share above 0 and up to 1",
        lambda _: AmpAgentCfg(replay_share=0).validate(),
        lambda _: AmpAgentCfg(replay_share=1).validate(),
    ),
    (
        "give a number in 0..1",
        lambda _: AmpAgentCfg(gae_lambda=2).validate(),
        lambda _: AmpAgentCfg(gae_lambda=1).validate(),
    ),
    (
        "give widths of at least 1",
        lambda _: AmpAgentCfg(hidden=()).validate(),
        lambda _: AmpAgentCfg(hidden=(1,)).validate(),
    ),
    (
        "give text, a number, true, false, null, or a list or object of these, as in JSON",
        lambda _: check_parameters("01", {"clip": b"x"}, {"clip": "y"}),
        lambda _: check_parameters("01", {"clip": "x"}, {"clip": "y"}),
    ),
    (
        "give a value of type {}, such as {}",
        lambda _: check_parameters("01", {"clip": "x"}, {"clip": 3}),
        lambda _: check_parameters("01", {"clip": 3}, {"clip": 3}),
    ),
]
CASES += OTHER_ROOMS + FILES
ELSEWHERE = {remedy: test for test, listed in LIST["tested"].items() for remedy in listed}
EXPLAINED = {remedy for reason in LIST["reasons"] for remedy in reason["remedies"]}


@pytest.mark.parametrize(("remedy", "wrong", "right"), CASES, ids=[remedy[:60] for remedy, _, _ in CASES])
def test_the_remedy_works(remedy, wrong, right, tmp_path):
    with pytest.raises(InputError) as refused:
        wrong(tmp_path)
    assert matches(remedy, str(refused.value)), refused.value
    right(tmp_path)


def test_every_remedy_is_tried_or_explained():
    found = proposed()
    listed = {remedy for remedy, _, _ in CASES} | set(ELSEWHERE) | EXPLAINED
    new = {remedy: places for remedy, places in found.items() if remedy not in listed}
    assert not new, "try these remedies in test_remedies.py, or list a test or a reason in remedies.toml"
    assert not listed - set(found), "no error proposes these any more; remove them"


def test_the_options_that_remedies_name_exist(monkeypatch, capsys):
    for command in (
        check.main,
        convert_main,
        refine.main,
        train.main,
        evaluate.main,
        study.main,
        drive.main,
        pipeline.main,
        site.main,
    ):
        monkeypatch.setattr(sys, "argv", ["command", "--help"])
        with pytest.raises(SystemExit):
            command()
    options = set(re.findall(r"--\w+", capsys.readouterr().out))
    assert {"--fill_missing", "--no_symmetry", "--checkpoint", "--site"} < options
    named = {option: remedy for remedy in proposed() for option in re.findall(r"(?<![\w-])--[a-z]\w*", remedy)}
    assert len(named) > 20 and not {option: named[option] for option in set(named) - options}


def test_the_tests_named_exist():
    for test in LIST["tested"]:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), test


def test_a_new_message_is_found(tmp_path):
    (tmp_path / "new.py").write_text('def f(x):\n    raise InputError(f"{x}: is odd; add " f"{x + 1} to it")\n')
    assert list(proposed(tmp_path)) == ["add {} to it"]
    (tmp_path / "new.py").write_text('_CURE = "add 1"\ndef f(x):\n    raise InputError(f"{x}: is odd; {_CURE}")\n')
    assert list(proposed(tmp_path)) == ["add 1"], "which several messages may share"
    assert matches("add {} to it", "3: is odd; add 4 to it") and not matches("add {} to it", "3: is odd; add 4")
    assert len(proposed(PACKAGE)) > 200

"""Widgets driven by setting their values, as a mouse would; and what notebooks start with."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from amp_helpers import widgets, workspace
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.health import Health
from amp_helpers.plots import training_curves
from amp_helpers.robots import G1_23DOF
from amp_helpers.widgets import BY_NAME, DATASET_AS_SIMULATOR, SIMULATOR_AS_DATASET, JointInspector, LiveCurves

SIMULATOR = tuple(sorted(G1_23DOF.joint_names))


@pytest.fixture(scope="module")
def clip(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]


@pytest.fixture
def inspector(clip):
    return JointInspector(clip, G1_23DOF, SIMULATOR, width=200, height=200, gl=False)


def test_orders_are_what_they_say(clip):
    assert widgets.read_in_order(clip, SIMULATOR, BY_NAME) is clip
    there = widgets.read_in_order(clip, SIMULATOR, DATASET_AS_SIMULATOR)
    assert there.joint_names == SIMULATOR and (there.joint_pos == clip.joint_pos).all()
    back = widgets.read_in_order(clip, SIMULATOR, SIMULATOR_AS_DATASET)
    assert back.joint_names == clip.joint_names
    assert (back.joint_pos[:, 0] == clip.joint_pos[:, clip.joint_names.index(SIMULATOR[0])]).all()


def test_wrong_orders_and_joints_are_refused(clip):
    with pytest.raises(InputError, match="available: by name"):
        widgets.read_in_order(clip, SIMULATOR, "alphabetically")
    with pytest.raises(InputError, match="1 missing: tail_joint"):
        widgets.read_in_order(clip, (*SIMULATOR, "tail_joint"), BY_NAME)


def test_the_inspector_shows_a_picture_and_numbers(inspector, clip):
    image = np.asarray(Image.open(io.BytesIO(inspector.picture.value)))
    assert image.shape[:2] == (200, 200) and np.ptp(image) > 100
    inspector.joint.value = "left_knee_joint"
    inspector.frame.value = 12
    column = clip.joint_names.index("left_knee_joint")
    assert (
        f"column {column} of the dataset, {SIMULATOR.index('left_knee_joint')} of the simulator" in inspector.text.value
    )
    assert f"{clip.joint_pos[12, column]:+.3f} rad" in inspector.text.value
    assert f"{clip.joint_pos[12, column] - 0.42:+.3f} rad" in inspector.text.value
    assert "wrong" not in inspector.text.value


@pytest.mark.parametrize(
    ("control", "value"), [("joint", "right_elbow_joint"), ("frame", 20), ("order", DATASET_AS_SIMULATOR)]
)
def test_every_control_changes_the_picture(inspector, control, value):
    before = inspector.picture.value
    getattr(inspector, control).value = value
    assert inspector.picture.value != before


def test_a_wrong_order_is_called_wrong(inspector):
    inspector.frame.value, inspector.joint.value = 12, "left_knee_joint"
    inspector.order.value = SIMULATOR_AS_DATASET
    assert "wrong: the clip says" in inspector.text.value


def test_controls_are_labelled_and_calm(inspector):
    assert [c.description for c in (inspector.joint, inspector.frame, inspector.order)] == ["Joint", "Frame", "Order"]
    assert all(c.tooltip for c in (inspector.joint, inspector.frame, inspector.order))
    assert inspector.frame.continuous_update is False
    assert inspector.picture.layout.height == "200px"


def test_an_error_in_a_callback_is_not_swallowed(inspector):
    inspector._default = {}
    with pytest.raises(
        InputError, match="default pose names no right_knee_joint"
    ):  # in a kernel it is caught by the Output, where the runner finds it
        inspector.joint.value = "right_knee_joint"


def test_a_clip_of_another_robot_is_cut_to_its_joints(repo_root):
    from amp_helpers.formats import read_motion

    motion = read_motion(repo_root / "datasets" / "g1_walk.pkl")
    assert (
        JointInspector(motion, G1_23DOF, SIMULATOR, width=80, height=80, gl=False).joint.options == G1_23DOF.joint_names
    )


def record(update: int) -> Health:
    return Health(**(dict.fromkeys(Health.names(), 0.5) | {"update": update, "style_reward_limit": 1.0}))


def test_live_curves_grow_but_not_at_every_update():
    curves = LiveCurves(every_s=60.0)
    with pytest.raises(InputError, match="no update"):
        curves.draw()
    curves.update(record(1))
    first = bytes(curves.picture.value)
    assert first.startswith(b"\x89PNG")
    curves.update(record(2))
    assert curves.picture.value == first and len(curves.history) == 2
    curves.draw()
    assert curves.picture.value != first
    assert "update 2: Learning" in curves.text.value


def test_a_workspace_makes_its_folders_and_refuses_a_wrong_environment(tmp_path, monkeypatch):
    space = workspace.start(tmp_path / "out", needs=("numpy",))
    assert space.figures.is_dir() and space.videos.is_dir()
    with pytest.raises(InputError, match=r"no_such_module; run 'make setup'"):
        workspace.start(tmp_path, needs=("numpy", "no_such_module"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        workspace.start(tmp_path / "file", needs=())
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(InputError, match=r"Python 3\.13 .* needs 3\.12"):
        workspace.start(tmp_path, needs=())


def test_a_fresh_folder_replaces_a_run_and_nothing_else(tmp_path):
    space = workspace.start(tmp_path, needs=())
    run = space.fresh_folder("run")
    (run / "health.jsonl").write_text("{}")
    assert list(space.fresh_folder("run").iterdir()) == []
    (run / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="other than a training run"):
        space.fresh_folder("run")
    assert (run / "thesis.tex").exists()


def test_figures_and_videos_are_shown_and_kept(tmp_path, monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    space = workspace.start(tmp_path, needs=())
    space.show(training_curves([record(1)]), "04_curves", alt="curves")
    assert (space.figures / "04_curves.png").read_bytes() == shown[0].data
    assert shown[0].alt == "curves"
    small, large = space.videos / "small.mp4", space.videos / "large.mp4"
    small.write_bytes(b"0" * 10)
    large.write_bytes(b"0" * (workspace.EMBED_BYTES + 1))
    space.play({"a <b>": small, "large": large})
    assert "data:video/mp4;base64," in shown[1].data and 'src="videos/large.mp4"' in shown[1].data
    assert "a &lt;b&gt;" in shown[1].data


def test_native_chatter_is_kept_off_the_page(capfd):
    import os

    with workspace.quiet():
        os.write(1, b"solver iterations limit reached\n")
        os.write(2, b"no CUDA\n")
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("after\n", "")

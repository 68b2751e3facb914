"""The export command: wrong options, and any manager-based task."""

import json
import shutil

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.errors import InputError
from amp_helpers.export import _check_replaced, export
from amp_helpers.utils.resources import POLICIES


def test_wrong_options_are_one_sentence_and_nothing_is_written(tmp_path):
    (tmp_path / "file").write_text("[1]")
    with pytest.raises(InputError, match="is a file; give a folder for the bundle"):
        export("g1_walk", tmp_path / "file")
    with pytest.raises(InputError, match=r"holds no metrics; give the metrics\.json that evaluate wrote"):
        export("g1_walk", tmp_path / "bundle", metrics=tmp_path / "file")
    with pytest.raises(InputError, match=r"config\.json: holds no metrics; give the metrics\.json"):
        export("g1_walk", tmp_path / "bundle", metrics=POLICIES / "g1_walk" / "config.json")
    with pytest.raises(InputError, match="robot 'nosuch' not found; available: g1_23dof"):
        export("g1_walk", tmp_path / "bundle", robot="nosuch")
    with pytest.raises(InputError, match="a shipped policy: g1_dance, g1_locomotion"):
        export("g1_wlak", tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_files_of_somebody_are_not_replaced(tmp_path):
    project, run, bundle = tmp_path / "project", tmp_path / "run", tmp_path / "bundle"
    for folder, name in ((project, "README.md"), (run, "config.json"), (run, "policy.pt"), (bundle, "deploy.json")):
        folder.mkdir(exist_ok=True)
        (folder / name).touch()
    with pytest.raises(InputError, match=r"project: is no bundle, and its README\.md would be replaced; give another"):
        export("g1_walk", project)
    with pytest.raises(InputError, match=r"run: is a run, whose policy\.pt would be replaced; give another folder"):
        export("g1_walk", run, torchscript=True)
    for folder, torchscript in ((run, False), (bundle, True), (tmp_path / "new", True)):
        _check_replaced(folder, torchscript)


def test_a_robots_file_keeps_the_feet_of_the_training(tmp_path):
    run, robot = tmp_path / "run", tmp_path / "robot.xml"
    shutil.copytree(POLICIES / "g1_walk", run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"robot": "gone.xml", "feet": ["left_shoe"]}))
    robot.write_text(
        '<mujoco><worldbody><body name="base"><freejoint/><geom size=".1"/><body name="foot" pos="0 0 -.5">'
        '<joint name="hip"/><geom size=".1"/></body></body></worldbody></mujoco>'
    )
    with pytest.raises(InputError, match="left_shoe"):
        export(run, tmp_path / "bundle", robot=str(robot))

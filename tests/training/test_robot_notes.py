"""Notes say what a robot is used for that is not the one simulated, and what a recipe expects of a task."""

from types import SimpleNamespace

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from isaaclab.envs.mdp import UniformVelocityCommandCfg

from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF
from amp_helpers.training.cfg import RECIPES
from amp_helpers.training.run import recipe_notes, robot_notes


@pytest.mark.parametrize(
    ("symmetry", "used"), [(False, "its feet alone are used"), (True, "its feet and its pairs of joints are used")]
)
def test_a_note_says_what_a_robot_other_than_the_tasks_is_used_for(symmetry, used):
    lab = SimpleNamespace(cfg=SimpleNamespace(), scene={"robot": G1_23DOF})
    setup = SimpleNamespace(robot=G1_29DOF, env=SimpleNamespace(lab=lab), cfg=SimpleNamespace(symmetry=symmetry))
    (note,) = robot_notes(setup)  # pyright: ignore[reportArgumentType]
    assert note.startswith("robot 'g1_29dof' is not the task's: only it has ") and note.endswith(used)
    setup.robot = G1_23DOF
    assert robot_notes(setup) == []  # pyright: ignore[reportArgumentType]


def test_a_note_says_what_the_locomotion_recipe_expects_of_a_task():
    task = SimpleNamespace(commands={"pace": UniformVelocityCommandCfg()})
    (note,) = recipe_notes(RECIPES["locomotion"], task)
    assert "expects a task with a LocomotionCommandCfg" in note
    assert "here, command 'pace' is a UniformVelocityCommandCfg (" in note
    assert recipe_notes(RECIPES["walk"], task) == []
    task.commands["pace"] = LocomotionCommandCfg()
    assert recipe_notes(RECIPES["locomotion"], task) == [], "under any name"

"""Notes say what a robot is used for that is not the one simulated, and what a recipe or a command leaves out."""

from types import SimpleNamespace

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from isaaclab.envs.mdp import UniformVelocityCommandCfg

from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF
from amp_helpers.training.cfg import RECIPES
from amp_helpers.training.task_notes import annealing_note, command_notes, recipe_notes, robot_notes


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


@pytest.mark.parametrize(
    ("done", "updates", "said"),
    [
        (0, 800, "ends with 800; give --final_kl_updates 575 800 to"),
        (200, 800, "ends with 1000; give --final_kl_updates 775 1000 to"),
        (1600, 500, "goes on after 1600, in small steps; give --final_kl_updates 1959 2100 to"),
        (0, 1600, None),
        (1200, 400, None),
        (0, 8, None),
    ],
)
def test_a_note_says_that_a_run_ends_before_it_is_annealed_or_begins_after_it(done, updates, said):
    note = annealing_note(RECIPES["locomotion"].agent, done, updates)
    assert note is None if said is None else note is not None and said in note
    assert annealing_note(RECIPES["walk"].agent, done, updates) is None


@pytest.mark.parametrize(
    ("speeds", "noted"), [((0.5, 2.0), True), ((-1.5, -0.5), True), ((0.0, 2.6), False), ((-0.3, 0.5), False)]
)
def test_a_note_says_that_a_command_never_stands(speeds, noted):
    command = LocomotionCommandCfg(
        ranges=LocomotionCommandCfg.Ranges(lin_vel_x=speeds, lin_vel_y=(0.0, 0.0), ang_vel_z=(-1.0, 1.0))
    )
    notes = command_notes(SimpleNamespace(commands={"pace": command}))
    low, high = speeds
    sentence = f"command 'pace' never stands and never turns on the spot, because its speeds, {low:g} to {high:g} m/s,"
    assert [note.startswith(sentence) for note in notes] == [True] * noted
    command.rel_standing_envs = command.rel_in_place_envs = 0.0
    assert command_notes(SimpleNamespace(commands={"pace": command})) == [], "nothing is left out"

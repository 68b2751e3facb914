"""What a user should know about a run before it trains, most of it about its task: notes, a sentence each."""

from typing import Any

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.amp_state.commands import velocity_commands
from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.errors import InputError
from amp_helpers.robots.lookup import other_joints
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.run import TrainingSetup


def check_rewarded(agent: AmpAgentCfg, task_rewards: bool) -> str | None:
    """Check that a training rewards something.

    Args:
        agent: the weights of task and style.
        task_rewards: whether the task has a reward.

    Returns:
        A sentence where the task weight has nothing to weigh; else ``None``.

    Raises:
        InputError: nothing is rewarded.
    """
    if not agent.style_weight and not (agent.task_weight and task_rewards):
        task = "--task_weight is too" if task_rewards else "the task has no reward"
        raise InputError(f"nothing is rewarded: --style_weight is 0, and {task}; raise --style_weight")
    if agent.task_weight and not task_rewards:
        return f"the task has no reward that --task_weight {agent.task_weight:g} could weigh; style is all"
    return None


TRIAL_UPDATES = 100
"""A run that ends sooner only tries whether everything fits."""


def annealing_note(agent: AmpAgentCfg, done: int, updates: int) -> str | None:
    """Return a note where a run ends before the KL divergence of its updates is annealed, or begins after it.

    Args:
        agent: the schedule.
        done: updates before this run.
        updates: of this run.
    """
    begin, end = agent.final_kl_updates
    last = done + updates
    if not (agent.kl_threshold and agent.final_kl_threshold) or updates < TRIAL_UPDATES or done < end <= last:
        return None
    found = f"goes on after {done}, in small steps" if done >= end else f"ends with {last}"
    return (
        f"the KL divergence of an update is annealed from update {begin} to {end}, and this run {found}; give "
        f"--final_kl_updates {done + round(updates * begin / end)} {last} to anneal it at the end of this run"
    )


def recipe_notes(cfg: TrainCfg, task: Any) -> list[str]:
    """Return a note where a run has the settings of the recipe ``locomotion``, and its task lacks what they expect.

    Args:
        cfg: the run.
        task: configuration of its environment.
    """
    commands = dict(velocity_commands(task))
    clocked = any(isinstance(command, LocomotionCommandCfg) for command in commands.values())
    if clocked or not (cfg.condition_on_command and cfg.symmetry):
        return []
    found = ", ".join(f"'{name}' is a {type(command).__name__}" for name, command in commands.items())
    return [
        "these are options of the recipe locomotion, which expects a task with a LocomotionCommandCfg, whose gait "
        f"clock the policy observes and rewards follow; here, command {found} (cookbook, The locomotion recipe on your "
        "robot)"
    ]


def command_notes(task: Any) -> list[str]:
    """Return a note for each command of a task that would stand and turn on the spot, did its speeds not leave out 0.

    Args:
        task: configuration of the environment.
    """
    return [
        f"command '{name}' never stands and never turns on the spot, because its speeds, "
        f"{command.ranges.lin_vel_x[0]:g} to {command.ranges.lin_vel_x[1]:g} m/s, leave out those below "
        f"{command.min_speed:g} m/s"
        for name, command in velocity_commands(task)
        if isinstance(command, LocomotionCommandCfg)
        and command.slowest()
        and (command.rel_standing_envs > 0 or command.rel_in_place_envs > 0)
    ]


def robot_notes(setup: TrainingSetup) -> list[str]:
    """Return a note on the joints in which the robot that a run names differs from the task's."""
    other = setup.robot and other_joints(setup.robot, scene_robot(setup.env.lab).joint_names, "task")
    used = "its feet and its pairs of joints are" if setup.cfg.symmetry else "its feet alone are"
    return [f"{other}; {used} used"] if other else []

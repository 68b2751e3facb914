"""What a training run consists of, one part after the other: dataset, environment, agent, and the folder it writes."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gymnasium
import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv
from skrl.agents.torch.base import ExperimentCfg
from tqdm.auto import tqdm

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.health import Health
from amp_helpers.agent.networks import Discriminator, Policy, Value
from amp_helpers.agent.ranks import ALONE, Ranks
from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.amp_state.commands import velocity_commands
from amp_helpers.amp_state.reference import ReferenceWindows
from amp_helpers.amp_state.state import AmpState
from amp_helpers.dataset import MotionDataset, check_joints
from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.env.make import default_pose, make_env, rewards_poses
from amp_helpers.env.symmetry import policy_mirrors
from amp_helpers.env.wrapper import AmpEnv
from amp_helpers.errors import InputError
from amp_helpers.robots.lookup import named_robot, other_joints, robot_with_links
from amp_helpers.robots.robot import Robot
from amp_helpers.training.background import abandoned
from amp_helpers.training.cfg import TrainCfg, run_config
from amp_helpers.training.checkpoint_writer import CheckpointWriter
from amp_helpers.training.checkpoints import newest_checkpoint
from amp_helpers.training.dropped_joints import drop_patterns
from amp_helpers.training.gait_probe import watch_gait
from amp_helpers.training.non_finite import TaskWatch
from amp_helpers.training.policy import save_policy, state_config
from amp_helpers.training.resolving import check_unused
from amp_helpers.training.run_folder import (
    CONFIG_FILE,
    HEALTH_FILE,
    check_finite,
    clear_stop,
    folder_gone,
    keep_updates,
    open_health,
    stop_requested,
    write_json,
)


def open_env(
    cfg: TrainCfg, dataset: MotionDataset, **options: Any
) -> contextlib.AbstractContextManager[ManagerBasedRLEnv]:
    """Open the environment of a resolved run; a context manager, see :func:`amp_helpers.env.make_env`.

    Args:
        cfg: the run.
        dataset: reference states for resets, and clips for a reward of poses.
        options: of :func:`amp_helpers.env.make_env` that are no settings of a run, such as ``note``.
    """
    assert cfg.num_envs is not None, "resolve() sets the number"
    return make_env(
        cfg.task,
        asset=cfg.asset,
        num_envs=cfg.num_envs,
        device=cfg.device,
        seed=cfg.seed,
        physics=cfg.physics,
        dataset=dataset if cfg.reference_share or rewards_poses(cfg.task) else None,
        reference_share=cfg.reference_share,
        velocity=cfg.velocity_range,
        randomize=cfg.randomize,
        frontend=cfg.frontend,
        **options,
    )


def amp_state(cfg: TrainCfg, dataset: MotionDataset) -> AmpState:
    """Return what the discriminator of a run sees."""
    state = AmpState(
        joint_names=dataset.joint_names,
        features=cfg.features,
        window=cfg.window,
        stride=cfg.stride,
        command=cfg.condition_on_command,
    )
    return state.without(drop_patterns(cfg.drop_joints, cfg.robot, dataset, cfg.feet))


@dataclass(frozen=True)
class TrainingSetup:
    """An environment wrapped for AMP, and the reference windows to compare it with."""

    cfg: TrainCfg
    dataset: MotionDataset
    state: AmpState
    env: AmpEnv
    reference: ReferenceWindows
    robot: Robot | None
    """The one that the configuration names."""

    @classmethod
    @contextlib.contextmanager
    def wrap(cls, cfg: TrainCfg, dataset: MotionDataset, lab: ManagerBasedRLEnv) -> Iterator["TrainingSetup"]:
        """Wrap an open environment, and remove the wrapper's hooks afterwards.

        Raises:
            InputError: the dataset does not fit the environment, or ``cfg`` the dataset.
        """
        dataset = dataset.for_environment(control_dt=lab.step_dt)
        check_joints(dataset, scene_robot(lab))
        state = amp_state(cfg, dataset)
        windows = state.from_dataset(dataset, default_pose(lab)).to(lab.device)
        reference = ReferenceWindows.of(dataset, state, windows)
        env = AmpEnv(lab, state, cfg.amp_group, stagger=True)
        try:
            yield cls(cfg, dataset, state, env, reference, named_robot(cfg.robot, cfg.feet))
        finally:
            env.close()


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


def build_agent(setup: TrainingSetup, ranks: Ranks = ALONE) -> AmpAgent:
    """Create the agent of a run with its networks; only the first rank writes TensorBoard's events."""
    cfg, env, device = setup.cfg.agent, setup.env, str(setup.env.device)
    spaces = env.observation_space, env.state_space, env.action_space
    window_space = gymnasium.spaces.Box(-np.inf, np.inf, (setup.state.dim,))
    mirrors = policy_mirrors(env.lab, _robot(setup)) if setup.cfg.symmetry else None
    return AmpAgent(
        cfg=cfg,
        policy=Policy(
            spaces[0],
            spaces[2],
            device,
            hidden=cfg.hidden,
            initial_std=cfg.initial_std,
            min_std=cfg.min_std,
            mirrors=mirrors,
        ),
        value=Value(*spaces, device, hidden=cfg.hidden),
        discriminator=Discriminator(
            window_space,
            spaces[2],
            device,
            hidden=cfg.discriminator_hidden,
            condition_dim=setup.state.condition_dim,
        ),
        num_envs=env.num_envs,
        observation_space=spaces[0],
        state_space=spaces[1],
        action_space=spaces[2],
        amp_observation_space=window_space,
        reference_windows=setup.reference.draw(setup.cfg.match_commands),
        step_dt=setup.env.lab.step_dt,
        device=device,
        experiment=experiment(setup.cfg) if ranks.first else None,
        ranks=ranks,
    )


def _robot(setup: TrainingSetup) -> Robot:
    return setup.robot or robot_with_links(scene_robot(setup.env.lab).body_names)


def experiment(cfg: TrainCfg) -> ExperimentCfg:
    """Return where skrl writes TensorBoard's events, once an update; checkpoints are the loop's."""
    assert cfg.run_dir is not None, "resolve() names the folder"
    return ExperimentCfg(
        directory=str(cfg.run_dir.parent),
        experiment_name=cfg.run_dir.name,
        write_interval=cfg.agent.rollouts,
        checkpoint_interval=0,
        wandb=cfg.logger == "wandb",
    )


def run_checkpoints(cfg: TrainCfg, resumed_at: int, ranks: Ranks) -> CheckpointWriter:
    """Return what writes the checkpoints of a run; each rank has one."""
    assert cfg.run_dir is not None, "resolve() names the folder"
    return CheckpointWriter(cfg.run_dir, cfg.checkpoint_interval, cfg.keep_checkpoints, resumed_at, ranks)


class RunRecorder:
    """Writes the folder of a run while it trains, and says when it should stop.

    Args:
        setup: the run.
        started: ``time.monotonic()`` when it started.
        progress: show a progress bar.
        facts: added to ``config.json``.
        resumed_at: update that the run goes on after; what its folder holds of later ones is removed.
        ranks: that train together; this is the first.
    """

    def __init__(
        self,
        setup: TrainingSetup,
        started: float,
        progress: bool = True,
        facts: Mapping[str, Any] = MappingProxyType({}),
        resumed_at: int = 0,
        ranks: Ranks = ALONE,
    ) -> None:
        self._cfg, self._started, self._resumed_at = setup.cfg, started, resumed_at
        self._checkpoints = run_checkpoints(setup.cfg, resumed_at, ranks)
        self._earlier_s = 0.0
        self._kept_at = time.monotonic()
        self._watch = TaskWatch(setup.env)
        self._agent: AmpAgent | None = None
        self._config = run_config(setup.cfg, state_config(setup.state), setup.dataset) | dict(facts)
        self._gait = watch_gait(setup.env, setup.dataset.clips())
        self._progress = progress
        assert setup.cfg.run_dir is not None, "resolve() names the folder"
        self.folder: Path = setup.cfg.run_dir

    def __enter__(self) -> "RunRecorder":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = open_health(self.folder)
        check_unused(self.folder, self._cfg.checkpoint)  # again, because opening the simulator took a while
        removed, self._earlier_s = keep_updates(self.folder, self._resumed_at)
        if removed:
            print(f"note: {removed} updates after the checkpoint are removed from {self.folder / HEALTH_FILE}")
        clear_stop(self.folder)
        self._checkpoints.remove_unfinished()
        # At the start, so that the checkpoints of a run that is cut short can be played.
        write_json(self.folder / CONFIG_FILE, self._config)
        # Last, because a bar would stand before the error of a folder that cannot be written.
        self._bar = tqdm(total=self._cfg.max_iterations, unit="update", disable=not self._progress)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        self._bar.close()

    @property
    def elapsed_s(self) -> float:
        """Time since the run started, s, by a clock that never jumps."""
        return time.monotonic() - self._started

    def record(self, health: Health) -> None:
        """Append an update to ``health.jsonl``.

        Raises:
            InputError: a figure is infinite or NaN, or the folder is gone.
        """
        if not (self.folder / HEALTH_FILE).exists():
            raise folder_gone(self.folder)
        check_finite(self.folder, health, self._cause, self._newest)
        line: dict[str, Any] = asdict(health) | {"wall_s": round(self._earlier_s + self.elapsed_s, 2)}
        if numbers := self._gait.measure():
            line["gait"] = numbers
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()
        self._bar.update()
        self._bar.set_postfix(style=f"{health.style_reward:.2f}", task=f"{health.weighted_task:.2f}/s", refresh=False)

    def watch(self, agent: AmpAgent) -> None:
        """Name the agent, so that a figure that is not finite can be traced through its rollout."""
        self._agent = agent

    def _cause(self) -> str | None:
        return self._watch.cause_in_any_process(self._agent) if self._agent else self._watch.cause(None)

    def _newest(self) -> Path | None:
        found = newest_checkpoint(self.folder)
        return found.file if found else None

    def should_stop(self) -> bool:
        """Whether the time is over, somebody asked the run to stop, or the notebook that started it is gone."""
        late = self._cfg.max_seconds is not None and self.elapsed_s > self._cfg.max_seconds
        return late or stop_requested(self.folder) or abandoned()

    def checkpoint_due(self, agent: AmpAgent) -> bool:
        """Whether the next checkpoint has a number, or ``checkpoint_seconds`` have passed."""
        return self._checkpoints.numbered(agent) or time.monotonic() - self._kept_at > self._cfg.checkpoint_seconds

    def checkpoint(self, agent: AmpAgent) -> None:
        """Write a checkpoint."""
        self._checkpoints.write(agent)
        self._kept_at = time.monotonic()

    def save(self, agent: AmpAgent) -> None:
        """Write the policy, the last checkpoint and the final ``config.json``."""
        config = self._config | {"updates": agent.updates, "wall_s": round(self._earlier_s + self.elapsed_s, 1)}
        if torch.device(str(self._cfg.device)).type == "cuda":
            config["peak_gpu_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        save_policy(self.folder, agent, config)
        self._checkpoints.write_last(agent)

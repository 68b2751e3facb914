"""What a training run consists of, one part after the other: dataset, environment and agent."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from isaaclab.envs import ManagerBasedRLEnv
from skrl.agents.torch.base import ExperimentCfg

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.networks import Discriminator, Policy, Value
from amp_helpers.agent.ranks import ALONE, Ranks
from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.amp_state.reference import ReferenceWindows
from amp_helpers.amp_state.state import AmpState
from amp_helpers.dataset import MotionDataset, check_joints
from amp_helpers.env.env_facts import default_pose
from amp_helpers.env.make import make_env
from amp_helpers.env.symmetry import policy_mirrors
from amp_helpers.env.task_cfg import rewards_poses
from amp_helpers.env.wrapper import AmpEnv
from amp_helpers.robots.lookup import named_robot, robot_with_links
from amp_helpers.robots.robot import Robot
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.dropped_joints import drop_patterns


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

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        assert self.cfg.run_dir is not None, "resolve() names the folder"
        return self.cfg.run_dir

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


def build_agent(setup: TrainingSetup, ranks: Ranks = ALONE) -> AmpAgent:
    """Create the agent of a run with its networks; only the first rank writes TensorBoard's events."""
    cfg, env, device = setup.cfg.agent, setup.env, str(setup.env.device)
    observations, states, actions = env.observation_space, env.state_space, env.action_space
    windows = gymnasium.spaces.Box(-np.inf, np.inf, (setup.state.dim,))
    mirrors = policy_mirrors(env.lab, _robot(setup)) if setup.cfg.symmetry else None
    return AmpAgent(
        cfg=cfg,
        policy=Policy(
            observations,
            actions,
            device,
            hidden=cfg.hidden,
            initial_std=cfg.initial_std,
            min_std=cfg.min_std,
            mirrors=mirrors,
        ),
        value=Value(observations, states, actions, device, hidden=cfg.hidden),
        discriminator=Discriminator(
            windows, actions, device, hidden=cfg.discriminator_hidden, condition_dim=setup.state.condition_dim
        ),
        num_envs=env.num_envs,
        observation_space=observations,
        state_space=states,
        action_space=actions,
        amp_observation_space=windows,
        reference_windows=setup.reference.draw(setup.cfg.match_commands),
        step_dt=setup.env.lab.step_dt,
        device=device,
        experiment=_experiment(setup) if ranks.first else None,
        ranks=ranks,
    )


def _robot(setup: TrainingSetup) -> Robot:
    return setup.robot or robot_with_links(scene_robot(setup.env.lab).body_names)


def _experiment(setup: TrainingSetup) -> ExperimentCfg:
    """Return where skrl writes TensorBoard's events, once an update; checkpoints are the loop's."""
    return ExperimentCfg(
        directory=str(setup.folder.parent),
        experiment_name=setup.folder.name,
        write_interval=setup.cfg.agent.rollouts,
        checkpoint_interval=0,
        wandb=setup.cfg.logger == "wandb",
    )

"""A trained policy on disk: its weights, its observation scaler and the configuration of its training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium
import torch
from isaaclab.envs import ManagerBasedRLEnv
from skrl.resources.preprocessors.torch import RunningStandardScaler

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.calibration import SpeedCalibration, saved_calibration
from amp_helpers.agent.checkpoint import check_held, check_modules, load_checkpoint, save_parts, save_states
from amp_helpers.agent.networks import Mirror, Policy
from amp_helpers.amp_state.state import AmpState
from amp_helpers.errors import InputError
from amp_helpers.training.checkpoints import newest_checkpoint
from amp_helpers.training.config_file import choose_names, config_beside
from amp_helpers.training.run_folder import CONFIG_FILE, write_json
from amp_helpers.utils.resources import POLICY_FILE, find_run, shipped_policies

_PARTS: tuple[str, ...] = ("policy", "observation_preprocessor")
"""Parts of a checkpoint that act."""
_CALIBRATION = "speed_calibration"
"""Part of a ``policy.pt`` that was calibrated."""


class TrainedPolicy:
    """Deterministic actions of a trained policy."""

    def __init__(
        self,
        policy: Policy,
        scaler: RunningStandardScaler,
        config: dict[str, Any],
        calibration: SpeedCalibration | None = None,
    ) -> None:
        self.config = config
        """Content of ``config.json``: task, features, seed, dataset, ..."""
        self.network = policy
        """Actions for normalized observations."""
        self.scaler = scaler
        """Normalizer of the observations."""
        self.calibration = calibration
        """Replaces commanded speeds in the observations, before they are normalized."""

    def with_calibration(self, calibration: SpeedCalibration | None) -> "TrainedPolicy":
        """Return the same policy with another calibration, or without one."""
        return TrainedPolicy(self.network, self.scaler, self.config, calibration)

    @torch.no_grad()
    def __call__(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the mean actions (E, A) for observations (E, O) of the ``policy`` group.

        Raises:
            InputError: an action is NaN or infinite.
        """
        seen = observations if self.calibration is None else self.calibration(observations)
        actions = self.network.mean(self.scaler(seen))
        if not torch.isfinite(actions).all():
            cause = "its observations are too" if not torch.isfinite(observations).all() else "its observations are not"
            raise InputError(
                f"the policy's actions became NaN or infinite ({cause}), so nothing can be measured; "
                "take another checkpoint of the run"
            )
        return actions


def save_policy(folder: Path, agent: AmpAgent, config: dict[str, Any]) -> None:
    """Write ``policy.pt`` and ``config.json`` to ``folder``."""
    save_parts(folder / POLICY_FILE, {name: agent.checkpoint_modules[name] for name in _PARTS})
    write_json(folder / CONFIG_FILE, config)


def save_calibration(file: Path, calibration: SpeedCalibration | None) -> None:
    """Write a ``policy.pt`` anew with a calibration in place of the one it has, or without any; its weights stay."""
    saved = load_checkpoint(file)
    saved.pop(_CALIBRATION, None)
    save_states(file, saved if calibration is None else saved | {_CALIBRATION: calibration.cpu().state_dict()})


def check_weights(file: Path) -> None:
    """Check the weights that :func:`find_policy` found as far as it takes no environment.

    Raises:
        InputError: the file is damaged, or holds no policy.
    """
    check_held(file, _PARTS, load_checkpoint(file))


def load_policy(path: str | Path, env: ManagerBasedRLEnv) -> TrainedPolicy:
    """Read a policy for an environment.

    Args:
        path: a folder with ``policy.pt`` and ``config.json`` (a run), the ``policy.pt`` in it, a whole checkpoint
            ``agent_*.pt`` of a run, or the name of a shipped policy, see :func:`find_policy`.
        env: the environment that it will act in.

    Raises:
        InputError: there is none, or it was trained with another network, task or number of joints.
    """
    file, _, config = _find(path)
    saved = load_checkpoint(file, env.device)
    spaces, action_space = env.single_observation_space, env.single_action_space
    assert action_space is not None, "an open environment has one"
    if not isinstance(spaces, gymnasium.spaces.Dict) or "policy" not in spaces.spaces:
        raise InputError(f"{file}: the task has no observation group 'policy'; evaluate on the task it was trained on")
    policy = Policy(
        spaces["policy"],
        action_space,
        env.device,
        hidden=config["hidden"],
        mirrors=_blank_mirrors(spaces["policy"], action_space) if config.get("symmetry") else None,
    )
    scaler = RunningStandardScaler(size=spaces["policy"], device=env.device)
    modules = dict(zip(_PARTS, (policy, scaler), strict=True))
    check_modules(file, modules, saved)
    for name, module in modules.items():
        module.load_state_dict(saved[name])
    calibration = None
    if _CALIBRATION in saved:
        calibration = saved_calibration(file, saved[_CALIBRATION], policy.num_observations)
    return TrainedPolicy(policy.to(env.device).eval(), scaler, config, calibration)


def _blank_mirrors(*spaces: gymnasium.Space) -> tuple[Mirror, Mirror]:
    seen, done = (Mirror.blank(gymnasium.spaces.flatdim(space)) for space in spaces)
    return seen, done


def find_policy(path: str | Path, *, task: str | None = None, robot: str | None = None) -> tuple[Path, dict[str, Any]]:
    """Find the weights and the configuration that a ``--checkpoint`` names.

    ``g1_walk`` and ``policies/g1_walk`` name the shipped policy where the current folder has no such path.

    Args:
        path: see :func:`load_policy`.
        task: task to use in place of the configuration's.
        robot: robot to use in place of the configuration's.

    Raises:
        InputError: one of them does not exist or cannot be read, or the configuration names a module of somebody else
            for its task or robot and you do not name one.
    """
    file, config_file, config = _find(path)
    return file, choose_names(config_file, config, task, robot)


def find_weights(path: str | Path) -> Path:
    """Find the weights that a ``--checkpoint`` names, whatever task and robot they are for.

    Args:
        path: see :func:`find_policy`.

    Raises:
        InputError: they do not exist, or their configuration cannot be read.
    """
    return _find(path)[0]


def _find(path: str | Path) -> tuple[Path, Path, dict[str, Any]]:
    path = find_run(path)
    file = path / POLICY_FILE if path.is_dir() else path
    if path.is_dir() and not file.is_file() and (newest := newest_checkpoint(path)):
        file = newest.file  # a run that is still training, or was killed
    if not file.is_file():
        raise InputError(
            f"{path}: holds no {POLICY_FILE} and no whole checkpoint; give the folder of a run that has written one, a "
            f"checkpoint file, or a shipped policy: {', '.join(shipped_policies())}"
        )
    beside = config_beside(file, ("task", "hidden", "dataset"))
    if beside is None:
        raise InputError(f"{file}: has no {CONFIG_FILE} beside it; keep the two files of a run together")
    return file, *beside


def state_config(state: AmpState) -> dict[str, Any]:
    """Convert what the discriminator sees to values that JSON can hold."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(state).items()}

"""The hooks in an environment's step: listeners are called, and recorder terms of the task keep working."""

from typing import ClassVar

import gymnasium
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from isaaclab.managers import DatasetExportMode, RecorderManagerBaseCfg, RecorderTerm, RecorderTermCfg
from isaaclab.utils import configclass

from amp_helpers.amp_state.hooks import StepHooks
from amp_helpers.amp_state.state import AmpState
from amp_helpers.env.make import make_env
from amp_helpers.env.registration import add_task
from amp_helpers.env.task import G1AmpEnvCfg
from amp_helpers.env.wrapper import AmpEnv
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.utils.task_ids import TASK

pytestmark = pytest.mark.sim

NUM_ENVS = 3
ZEROS = torch.zeros(NUM_ENVS, 23)


class RootHeight(RecorderTerm):
    """Records the height of the root, and logs its own calls."""

    calls: ClassVar[list[str]] = []

    def _height(self) -> torch.Tensor:
        return self._env.scene["robot"].data.root_link_pos_w.torch[:, 2]

    def record_pre_reset(self, env_ids):
        self.calls.append("pre_reset")
        return "last_height", self._height()[env_ids]

    def record_post_step(self):
        self.calls.append("post_step")
        return "height", self._height()

    def record_post_physics_decimation_step(self):
        self.calls.append("after_physics")
        return None, None

    def close(self, file_path: str) -> None:
        self.calls.append("close")


@configclass
class RecordersCfg(RecorderManagerBaseCfg):
    dataset_export_mode = DatasetExportMode.EXPORT_NONE
    root_height = RecorderTermCfg(class_type=RootHeight)


@configclass
class RecordedEnvCfg(G1AmpEnvCfg):
    recorders: RecordersCfg = RecordersCfg()


@pytest.fixture
def recorded_task():
    add_task("Recorded-AMP-G1", RecordedEnvCfg)
    RootHeight.calls.clear()
    yield "Recorded-AMP-G1"
    del gymnasium.registry["Recorded-AMP-G1"]


def count_observations(env, monkeypatch) -> list[bool]:
    """Log every computation of all observations, True where it is the one that a step returns."""
    compute, calls = env.observation_manager.compute, []

    def counted(update_history: bool = False):
        calls.append(update_history)
        return compute(update_history=update_history)

    monkeypatch.setattr(env.observation_manager, "compute", counted)
    return calls


def test_a_recorder_term_of_the_task_still_records_and_listeners_are_called(recorded_task):
    with make_env(recorded_task, num_envs=NUM_ENVS, play=True) as env:
        terms = list(env.recorder_manager.active_terms)
        hooks, log = StepHooks.of(env), RootHeight.calls
        assert StepHooks.of(env) is hooks is env.recorder_manager, "installed once"
        assert hooks.active_terms == terms == ["root_height"]
        env.reset()
        log.clear()
        hooks.after_physics.append(lambda: log.append("listener after_physics"))
        hooks.before_reset.append(lambda env_ids: log.append(f"listener before_reset {env_ids.tolist()}"))
        env.step(ZEROS)
        env.step(ZEROS)
        substeps = log.count("after_physics") // 2
        step = ["after_physics", "listener after_physics"] * substeps + ["post_step"]
        assert substeps >= 1 and log == 2 * step, "the terms first"
        heights = hooks.get_episode(0).data["height"]
        assert len(heights) == 2 and all(0.7 < height < 0.85 for height in heights)
        log.clear()
        env.episode_length_buf[1] = env.max_episode_length - 1
        env.step(ZEROS)
        assert log == [*step, "pre_reset", "listener before_reset [1]"]
        assert len(hooks.get_episode(0).data["height"]) == 3 and hooks.get_episode(1).is_empty()
        log.clear()
        del hooks
    assert log == ["close"], "closed once, with the environment"


def test_amp_states_of_a_task_with_a_recorder_term_hold_the_terminal_frame(recorded_task):
    state = AmpState(joint_names=G1_23DOF.joint_names, features=("root_height",))
    with make_env(recorded_task, num_envs=NUM_ENVS, play=True) as env:
        wrapped = AmpEnv(env, state)
        wrapped.reset()
        robot = env.scene["robot"]
        pose = robot.data.root_link_pose_w.torch[2:].clone()
        pose[:, 2] = 0.2
        robot.write_root_link_pose_to_sim_index(root_pose=pose, env_ids=torch.tensor([2], dtype=torch.int32))
        _, _, terminated, _, infos = wrapped.step(ZEROS)
        assert terminated.flatten().tolist() == [False, False, True]
        assert infos["amp_obs"][2, -1] < 0.4 and (infos["amp_obs"][:2, -1] > 0.7).all()
        wrapped.close()
        RootHeight.calls.clear()
    assert RootHeight.calls == ["close"], "the wrapper keeps no reference that would delay it"


def test_without_recorder_terms_observations_are_computed_once_a_step(monkeypatch):
    with make_env(TASK, num_envs=NUM_ENVS, play=True) as env:
        wrapped = AmpEnv(env, AmpState(joint_names=G1_23DOF.joint_names))
        wrapped.reset()
        calls = count_observations(env, monkeypatch)
        for _ in range(3):
            wrapped.step(ZEROS)
        assert calls == [True] * 3
        wrapped.close()


def test_a_recorder_term_would_double_them(recorded_task, monkeypatch):
    """The reason for listeners in place of a term, as of Isaac Lab 3.0.0."""
    with make_env(recorded_task, num_envs=NUM_ENVS, play=True) as env:
        env.reset()
        calls = count_observations(env, monkeypatch)
        env.step(ZEROS)
        assert calls == [False, True]

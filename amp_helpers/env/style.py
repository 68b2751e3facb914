"""The task ``Isaac-AMP-Style-Flat-G1``: the 23-dof G1 moves as its dataset does, and nobody commands where to.

It differs from :mod:`amp_helpers.env.task` in three ways: there is no command; there is no reward, so that the style
reward of AMP is all there is to learn from; and the policy observes only what the robot's own sensors measure.
"""

from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.utils import configclass

from amp_helpers.env.registration import add_task
from amp_helpers.env.task import CriticObservationsCfg, G1AmpEnvCfg, PolicyObservationsCfg
from amp_helpers.utils.task_ids import STYLE_TASK


@configclass
class StylePolicyObservationsCfg(PolicyObservationsCfg):
    """The policy's observations: gyroscope, accelerometer and joint encoders with noise and history."""

    base_lin_vel: ObsTerm | None = None
    velocity_commands: ObsTerm | None = None


@configclass
class StyleCriticObservationsCfg(CriticObservationsCfg):
    """The value function's observations."""

    velocity_commands: ObsTerm | None = None


@configclass
class StyleObservationsCfg:
    """Groups ``policy`` and ``critic``."""

    policy: StylePolicyObservationsCfg = StylePolicyObservationsCfg()
    critic: StyleCriticObservationsCfg = StyleCriticObservationsCfg()


@configclass
class NothingCfg:
    """No command, or no reward."""


@configclass
class G1StyleEnvCfg(G1AmpEnvCfg):
    """The task: control at 50 Hz, physics at 200 Hz, episodes of 20 s."""

    observations: StyleObservationsCfg = StyleObservationsCfg()  # pyright: ignore[reportIncompatibleVariableOverride]
    commands: NothingCfg = NothingCfg()  # pyright: ignore[reportIncompatibleVariableOverride]
    rewards: NothingCfg = NothingCfg()  # pyright: ignore[reportIncompatibleVariableOverride]


add_task(STYLE_TASK, G1StyleEnvCfg)

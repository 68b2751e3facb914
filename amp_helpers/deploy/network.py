"""A policy as one network, from sensor values to joint position targets, and as ONNX or TorchScript."""

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from skrl.resources.preprocessors.torch import RunningStandardScaler
from torch import nn

from amp_helpers.agent.calibration import SpeedCalibration
from amp_helpers.agent.networks import Policy, mlp

OPSET = 18


@dataclass(frozen=True)
class InputColumns:
    """What a task does to each column of an observation: ``clip(x + shift, low, high) * scale``, (O) each."""

    shift: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    scale: torch.Tensor


class DeployedPolicy(nn.Module):
    """Joint position targets and actions (N, A) for observations (N, O) in SI units.

    It holds the task's scaling and clipping, the speed calibration, the normalizer, the network with its mirrors, and
    the action's scale, offset and limits.
    """

    shift: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    factor: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor
    scale: torch.Tensor
    offset: torch.Tensor
    lowest: torch.Tensor
    highest: torch.Tensor

    def __init__(
        self,
        policy: Policy,
        scaler: RunningStandardScaler,
        columns: InputColumns,
        scale: torch.Tensor,
        offset: torch.Tensor,
        limits: torch.Tensor | None = None,
        calibration: SpeedCalibration | None = None,
    ) -> None:
        """Copy a policy.

        Args:
            policy: its network and mirrors.
            scaler: normalizer of the observations that the task computes.
            columns: from the observations here to those.
            scale: of each action, (A,).
            offset: added to the scaled action, (A,) rad.
            limits: of the targets in the task, (A, 2) rad; None for none.
            calibration: of the commanded speed in the observations that the task computes; None for none.
        """
        super().__init__()
        linear = [layer for layer in policy.net if isinstance(layer, nn.Linear)]
        # Without BatchLinear, whose gradient of its own no exporter knows.
        self.net = mlp(
            policy.num_observations, [layer.out_features for layer in linear[:-1]], policy.num_actions, "elu"
        )
        self.net.load_state_dict(policy.net.state_dict())
        self.observation_mirror, self.action_mirror = policy.observation_mirror, policy.action_mirror
        self.clip_threshold = float(scaler.clip_threshold)
        self._shifts = bool((columns.shift != 0).any())
        self._clips = bool(torch.isfinite(torch.cat((columns.low, columns.high))).any())
        self._limits = limits is not None
        self.calibration = copy.deepcopy(calibration)
        free = torch.tensor([[-torch.inf, torch.inf]]).expand(policy.num_actions, 2)
        low, high = (free if limits is None else limits).T
        tensors = {
            "shift": columns.shift,
            "low": columns.low,
            "high": columns.high,
            "factor": columns.scale,
            "mean": scaler.running_mean,
            "deviation": torch.sqrt(scaler.running_variance.float()) + scaler.epsilon,
            "scale": scale,
            "offset": offset,
            "lowest": low,
            "highest": high,
        }
        for name, value in tensors.items():
            self.register_buffer(name, value.detach().float().clone())
        self.cpu().eval().requires_grad_(False)

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self._shifts:
            obs = obs + self.shift
        if self._clips:
            obs = torch.minimum(torch.maximum(obs, self.low), self.high)
        obs = obs * self.factor
        if self.calibration is not None:
            obs = self.calibration(obs)
        rows = torch.clamp((obs - self.mean) / self.deviation, -self.clip_threshold, self.clip_threshold)
        actions = self.net(rows)
        if self.observation_mirror is not None and self.action_mirror is not None:
            actions = 0.5 * (actions + self.action_mirror(self.net(self.observation_mirror(rows))))
        targets = actions * self.scale + self.offset
        if self._limits:
            targets = torch.minimum(torch.maximum(targets, self.lowest), self.highest)
        return targets, actions


def write_onnx(path: Path, network: DeployedPolicy, metadata: Mapping[str, str]) -> None:
    """Write ``policy.onnx``: input ``obs`` (N, O), outputs ``joint_targets`` and ``actions`` (N, A), float32.

    Args:
        path: the file.
        network: the policy.
        metadata: strings that the file carries.
    """
    sample = torch.zeros(2, len(network.mean))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The exporter by tracing needs the package onnx alone, and this network has no branch that depends on data.
        torch.onnx.export(
            network,
            (sample,),
            str(path),
            input_names=["obs"],
            output_names=["joint_targets", "actions"],
            dynamic_axes={"obs": {0: "N"}, "joint_targets": {0: "N"}, "actions": {0: "N"}},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.save(model, str(path))


def write_torchscript(path: Path, network: DeployedPolicy) -> None:
    """Write ``policy.pt``: the same function for ``torch.jit.load``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.11 calls TorchScript deprecated; robots run it all the same
        torch.jit.save(torch.jit.trace(network, torch.zeros(2, len(network.mean))), str(path))

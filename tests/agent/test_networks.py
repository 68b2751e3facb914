"""The networks compute what plain layers and skrl's own mixin compute; only how a GPU gets there differs."""

import math

import gymnasium
import numpy as np
import pytest
import torch
from skrl.models.torch import GaussianMixin
from torch import nn

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.gradients import _with_noise
from amp_helpers.agent.losses import discriminator_loss
from amp_helpers.agent.networks import BatchLinear, Discriminator, Mirror, Policy


def box(size: int) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(-np.inf, np.inf, (size,))


@pytest.mark.parametrize("outputs", [1, 3, 4])
def test_a_batch_linear_layer_is_a_linear_layer(outputs, device):
    """Also when its own slope is differentiated."""
    torch.manual_seed(0)
    layer, plain = BatchLinear(5, outputs).to(device), nn.Linear(5, outputs).to(device)
    plain.load_state_dict(layer.state_dict())
    rows = torch.randn(7, 5, device=device, requires_grad=True)
    results = []
    for network in (layer, plain):
        value = network(rows).square().sum()
        (slope,) = torch.autograd.grad(value, rows, create_graph=True)
        results.append((value, slope, *torch.autograd.grad(value + slope.square().sum(), list(network.parameters()))))
    torch.testing.assert_close(*results)


def test_a_batch_linear_layer_gives_its_inputs_a_slope_only_where_they_want_one():
    layer = BatchLinear(5, 4)
    rows = torch.randn(7, 5)
    layer(rows).sum().backward()
    assert rows.grad is None and torch.equal(layer.bias.grad, torch.full((4,), 7.0))


def test_likelihood_and_entropy_are_those_of_skrl():
    """At deviations below, within and above what the policy is held to."""
    torch.manual_seed(0)
    policy = Policy(box(5), box(3), "cpu", hidden=(8, 4))
    with torch.no_grad():
        policy.log_std.copy_(torch.tensor([-9.0, 0.3, 3.0]))
    inputs = {"observations": torch.randn(7, 5), "taken_actions": torch.randn(7, 3)}
    results = []
    for module in (Policy, GaussianMixin):
        _, outputs = module.act(policy, inputs, role="policy")
        loss = outputs["log_prob"].mean() + module.get_entropy(policy, role="policy").mean()
        results.append((outputs["log_prob"], *torch.autograd.grad(loss, list(policy.parameters()))))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


def test_actions_are_drawn_around_the_mean_where_none_are_given():
    torch.manual_seed(0)
    policy = Policy(box(5), box(3), "cpu", hidden=(8,), initial_std=0.5)
    observations = torch.randn(1, 5).expand(20_000, 5)
    actions, outputs = policy.act({"observations": observations}, role="policy")
    torch.testing.assert_close(actions.mean(0), outputs["mean_actions"][0], atol=0.02, rtol=0)
    torch.testing.assert_close(actions.std(0), torch.full((3,), 0.5), atol=0.02, rtol=0)
    _, given = policy.act({"observations": observations, "taken_actions": actions}, role="policy")
    torch.testing.assert_close(given["log_prob"], outputs["log_prob"])


@pytest.mark.parametrize("asked", [{"final_std": 0.01}, {"initial_std": 0.02, "final_std": 0.0}])
def test_a_standard_deviation_below_the_usual_minimum_is_what_was_asked(asked):
    cfg = AmpAgentCfg(**asked)
    policy = Policy(box(5), box(3), "cpu", hidden=(8,), min_std=cfg.min_std)
    std = min(value for value in asked.values() if value)
    with torch.no_grad():
        policy.log_std.fill_(math.log(std))
    _, outputs = policy.act({"observations": torch.zeros(1, 5)}, role="policy")
    assert outputs["log_std"].exp().max().item() == pytest.approx(std)
    assert AmpAgentCfg().min_std == AmpAgentCfg(final_std=0.0).min_std == 0.05


def mirrored_policy() -> Policy:
    torch.manual_seed(0)
    mirrors = Mirror([1, 0, 2], [1.0, 1.0, -1.0]), Mirror([1, 0], [-1.0, -1.0])
    return Policy(box(3), box(2), "cpu", hidden=(16, 8), mirrors=mirrors)


def test_a_symmetric_policy_does_in_the_mirror_image_what_the_mirror_image_does():
    policy, observations = mirrored_policy(), torch.randn(9, 3)
    assert policy.observation_mirror is not None and policy.action_mirror is not None
    there = policy.mean(policy.observation_mirror(observations))
    torch.testing.assert_close(there, policy.action_mirror(policy.mean(observations)))
    assert policy.mean(observations).std() > 0


def test_a_symmetric_policy_is_as_noisy_on_the_left_as_on_the_right():
    policy = mirrored_policy()
    with torch.no_grad():
        policy.log_std.copy_(torch.tensor([-1.0, -0.5]))
    _, outputs = policy.compute({"observations": torch.zeros(1, 3)})
    assert outputs["log_std"].tolist() == [-0.75, -0.75]


def test_a_saved_symmetric_policy_brings_its_mirrors_along():
    policy, observations = mirrored_policy(), torch.randn(4, 3)
    loaded = Policy(box(3), box(2), "cpu", hidden=(16, 8), mirrors=(Mirror.blank(3), Mirror.blank(2)))
    loaded.load_state_dict(policy.state_dict())
    torch.testing.assert_close(loaded.mean(observations), policy.mean(observations))


def test_the_gradient_penalty_leaves_the_command_out():
    """A logit that depends on the command alone is not penalized."""

    def logit(windows: torch.Tensor) -> torch.Tensor:
        return 5 * windows[:, -1:]

    windows = torch.randn(6, 4)
    for columns, expected in ((0, 25.0), (1, 0.0)):
        _, figures = discriminator_loss(logit, windows, windows, "lsgan", 10.0, columns)
        assert figures["gradient_penalty"].item() == expected


def test_noise_on_the_discriminators_input_spares_the_command():
    discriminator = Discriminator(box(5), box(2), "cpu", hidden=(8,), condition_dim=2)
    torch.manual_seed(0)
    noisy = _with_noise(torch.zeros(100, 5), 0.3, discriminator)
    assert (noisy[:, 3:] == 0).all() and noisy[:, :3].std().item() == pytest.approx(0.3, rel=0.2)

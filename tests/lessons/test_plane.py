"""AMP in two dimensions: without a gradient penalty the reward is a plateau, with one a ramp."""

import numpy as np
import pytest
import torch

from amp_helpers.agent.losses import discriminator_loss
from amp_helpers.lessons.plane import POLICY, REFERENCE, SPREAD, PlaneAmp, cloud


@pytest.fixture(scope="module", params=["lsgan", "bce"])
def flat_and_ramp(request):
    return tuple(PlaneAmp(loss=request.param, gradient_penalty=weight).train() for weight in (0.0, 10.0))


def test_a_cloud_has_its_center_and_spread():
    points = cloud((1.0, -2.0), seed=3).numpy()
    np.testing.assert_allclose(points.mean(0), (1.0, -2.0), atol=1e-6)
    np.testing.assert_allclose(points.std(0), SPREAD, rtol=1e-5)


def test_without_a_penalty_the_reward_is_a_plateau_at_the_policy(flat_and_ramp):
    flat, ramp = flat_and_ramp
    assert flat.policy_slope() < 0.02 and flat.policy_slope() < 0.1 * ramp.policy_slope()
    assert flat.reward(flat.policy).mean() < 0.01 < 0.5 < flat.reward(flat.reference).mean()
    assert abs(flat.climbed()) < 0.05


def test_with_a_penalty_a_point_climbs_from_the_policy_to_the_reference(flat_and_ramp):
    ramp = flat_and_ramp[1]
    path = ramp.climb()
    rewards = ramp.reward(path)
    np.testing.assert_allclose(path[0], POLICY, atol=1e-6)
    assert rewards[-1] > rewards[0] + 0.3 and ramp.climbed() > 0.6


@pytest.mark.slow
def test_without_input_noise_the_penalty_leaves_a_cliff_between_the_clouds():
    sharp = PlaneAmp(input_noise=0.0).train()
    assert sharp.policy_slope() < 0.2 * PlaneAmp().train().policy_slope()


@pytest.mark.slow
def test_a_policy_that_learns_reaches_the_reference_only_with_a_penalty():
    start = np.linalg.norm(np.subtract(REFERENCE, POLICY))
    stays, goes = (PlaneAmp(gradient_penalty=weight).train().learn(75).gap() for weight in (0.0, 1.0))
    assert stays > 0.9 * start and goes < 0.4 * start


def test_the_slope_is_the_gradient_of_the_reward():
    plane, point, h = PlaneAmp().train(50), np.array([[0.3, -0.2]], dtype=np.float32), 1e-2
    steps = h * np.eye(2, dtype=np.float32)
    by_hand = [(plane.reward(point + step) - plane.reward(point - step))[0] / (2 * h) for step in steps]
    np.testing.assert_allclose(plane.slope(point)[0], by_hand, atol=5e-3)


def test_experiments_of_one_seed_are_equal_and_leave_the_global_generator():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = (PlaneAmp(seed=2).train(5) for _ in range(2))
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(first.reward(first.policy), second.reward(second.policy))
    other = PlaneAmp(seed=3).train(5)
    assert not np.array_equal(first.reward(first.policy), other.reward(other.policy))


def test_it_is_trained_with_the_loss_of_training():
    plane = PlaneAmp(input_noise=0.0)
    total, _ = discriminator_loss(plane.net, plane.reference, plane.policy, "lsgan", 10.0)
    plane.train(100)
    trained, _ = discriminator_loss(plane.net, plane.reference, plane.policy, "lsgan", 10.0)
    assert trained < total

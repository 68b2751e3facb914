"""Commanded speeds are replaced by a piecewise linear map, in the columns that hold them alone."""

import pytest
import torch

from amp_helpers.agent.calibration import SpeedCalibration, saved_calibration, speed_knots
from amp_helpers.errors import InputError

COMMANDED = torch.tensor([False, True, False, True])
ASKED, TOLD = speed_knots([2.0, 1.0], [1.8, 1.1])


def told(speed: float) -> float:
    """What a policy observes at a command."""
    rows = torch.full((1, 4), float("nan"))
    rows[:, COMMANDED] = speed
    return SpeedCalibration(COMMANDED, ASKED, TOLD)(rows)[0, 1].item()


@pytest.mark.parametrize(
    ("speed", "observed"),
    [(0.0, 0.0), (0.5, 0.55), (1.0, 1.1), (1.5, 1.45), (2.0, 1.8), (2.5, 2.3), (-0.5, -0.5)],
)
def test_a_speed_between_commands_is_interpolated_and_beyond_them_the_correction_stays(speed, observed):
    assert told(speed) == pytest.approx(observed, abs=1e-6)


def test_standing_is_exactly_standing():
    assert told(0.0) == 0.0


def test_all_frames_of_the_command_change_and_nothing_else():
    rows = torch.tensor([[1.0, 1.0, 2.0, 2.0], [0.5, 0.0, 0.5, 1.0]])
    seen = SpeedCalibration(COMMANDED, ASKED, TOLD)(rows)
    torch.testing.assert_close(seen, torch.tensor([[1.0, 1.1, 2.0, 1.8], [0.5, 0.0, 0.5, 1.1]]))


def test_the_map_never_falls_and_leaves_0_as_it_is():
    asked, observed = speed_knots([1.6, 0.6, 1.8], [1.9, 0.7, 1.7])
    torch.testing.assert_close(asked, torch.tensor([0.0, 0.6, 1.6, 1.8]))
    torch.testing.assert_close(observed, torch.tensor([0.0, 0.7, 1.9, 1.9]))


def test_a_backward_speed_is_calibrated_too():
    asked, observed = speed_knots([-0.5, 1.0], [-0.6, 1.0])
    calibration = SpeedCalibration(COMMANDED, asked, observed)
    seen = calibration(torch.tensor([[0.0, -0.25, 0.0, 1.0]]))
    torch.testing.assert_close(seen, torch.tensor([[0.0, -0.3, 0.0, 1.0]]))


def test_a_large_correction_of_a_backward_speed_leaves_standing_alone():
    asked, observed = speed_knots([-0.1, 0.5], [0.1, 0.4])
    torch.testing.assert_close(asked, torch.tensor([-0.1, 0.0, 0.5]))
    torch.testing.assert_close(observed, torch.tensor([0.0, 0.0, 0.4]))


def test_a_saved_calibration_is_the_same_map():
    state = SpeedCalibration(COMMANDED, ASKED, TOLD).state_dict()
    rows = torch.randn(8, 4)
    torch.testing.assert_close(
        saved_calibration("policy.pt", state, 4)(rows), SpeedCalibration(COMMANDED, ASKED, TOLD)(rows)
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"told": None}, "lacks one of commanded, asked, told"),
        ({"commanded": torch.tensor([True])}, "is for other observations"),
        ({"commanded": torch.ones(4)}, "is for other observations"),
        ({"told": torch.tensor([0.0, 2.0, 1.0])}, "is no increasing list of speeds"),
        ({"asked": torch.tensor([0.0, 1.0, 1.0])}, "is no increasing list of speeds"),
        ({"told": torch.tensor([0.0, 1.0, float("nan")])}, "is no increasing list of speeds"),
        ({"told": torch.tensor([0.0, 1.0])}, "is no increasing list of speeds"),
        ({"asked": torch.tensor([0, 1, 2]), "told": torch.tensor([0, 1, 2])}, "is no increasing list of speeds"),
    ],
)
def test_what_is_no_calibration_is_one_sentence(changes, sentence):
    state = SpeedCalibration(COMMANDED, ASKED, TOLD).state_dict() | changes
    with pytest.raises(InputError, match=rf"policy\.pt: its speed calibration {sentence}; calibrate the policy again"):
        saved_calibration("policy.pt", state, 4)

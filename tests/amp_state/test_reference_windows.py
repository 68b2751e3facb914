import numpy as np
import pytest
import torch
from test_state import JOINTS, POSE, dataset_of, make_motion

from amp_helpers.amp_state.reference import ReferenceWindows
from amp_helpers.amp_state.state import COMMAND_BLUR, AmpState

COMMANDS = ((0.0, 0.0), (0.3, 0.0), (0.6, 0.0), (0.0, 0.4))
FRAMES = (40, 30, 50, 3)
"""The last clip is shorter than a window."""


@pytest.fixture(scope="module")
def reference() -> ReferenceWindows:
    clips = [make_motion(n, command=command) for n, command in zip(FRAMES, COMMANDS, strict=True)]
    dataset = dataset_of(*clips)
    state = AmpState(joint_names=JOINTS, window=3, stride=2, command=True)
    windows = state.from_dataset(dataset, POSE)
    # The clips move alike, so each window is marked by the number of its clip.
    windows[:, 0] = torch.repeat_interleave(torch.arange(4.0), state.window_counts(dataset))
    return ReferenceWindows.of(dataset, state, windows)


def policy_windows(reference: ReferenceWindows, command: tuple[float, float], count: int = 4000) -> torch.Tensor:
    windows = torch.zeros(count, reference.state.dim)
    windows[:, -2:] = torch.tensor(command)
    return windows


@pytest.mark.parametrize(
    ("command", "clips"),
    [((0.0, 0.0), {0}), ((0.3, 0.0), {1}), ((0.45, 0.0), {1, 2}), ((0.1, 0.0), {1}), ((2.6, 0.5), {2})],
)
def test_a_window_is_compared_with_the_clip_nearest_to_its_command(reference, command, clips):
    torch.manual_seed(0)
    drawn = reference.draw()(policy_windows(reference, command))
    assert set(drawn[:, 0].int().tolist()) == clips, "only standing is compared with standing"
    assert torch.equal(drawn[:, -2:], torch.tensor(command).expand(len(drawn), 2))


def test_every_window_of_the_nearest_clip_is_drawn_alike(reference):
    torch.manual_seed(0)
    policy = policy_windows(reference, (0.6, 0.0))
    drawn = reference.draw()(policy)
    rows = reference.windows[reference.windows[:, 0] == 2]
    found = [(drawn[:, :-2] == row[:-2]).all(dim=1).float().mean().item() for row in rows]
    assert np.allclose(found, 1 / len(rows), atol=0.01)


def test_unmatched_windows_are_drawn_by_weight_near_their_own_commands(reference):
    torch.manual_seed(0)
    drawn = reference.draw(matched=False)(policy_windows(reference, (9.0, 9.0)))
    own = torch.tensor(COMMANDS)[drawn[:, 0].long()]
    assert ((drawn[:, -2:] - own).abs() <= torch.tensor(COMMAND_BLUR) + 1e-6).all()
    assert set(drawn[:, 0].int().tolist()) == {0, 1, 2}

"""A bundle takes the commands that its policy was trained with."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.deploy.bundle import _ranges
from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.env.locomotion import G1LocomotionEnvCfg

RUN = Path(__file__).parents[2] / "policies" / "g1_run"


def command(speeds: tuple[float, float], turns: tuple[float, float]) -> LocomotionCommandCfg:
    ranges = LocomotionCommandCfg.Ranges(lin_vel_x=speeds, lin_vel_y=(0.0, 0.0), ang_vel_z=turns)
    return LocomotionCommandCfg(ranges=ranges, max_lateral_acceleration=1.2)


@pytest.mark.parametrize(
    ("speeds", "turns", "taken"),
    [
        ((0.0, 2.6), (-1.0, 1.0), [-1.0, 1.0]),  # on the spot
        ((0.05, 2.6), (-1.0, 1.0), [-1.0, 1.0]),  # slower ones become 0
        ((2.5, 2.9), (-1.0, 1.0), [-0.48, 0.48]),
        ((-2.9, -2.5), (-1.0, 0.3), [-0.48, 0.3]),
        ((1.0, 2.0), (-1.0, 1.0), [-1.0, 1.0]),
        ((2.5, 2.9), (0.8, 0.8), [0.8, 0.8]),  # an exact command stays exact
    ],
)
def test_turns_are_those_drawn_at_the_slowest_speed(speeds, turns, taken):
    found = _ranges(SimpleNamespace(cfg=SimpleNamespace(commands={"pace": command(speeds, turns)})))
    assert found == {"forward": list(speeds), "turn": pytest.approx(taken)}


def test_the_shipped_run_takes_what_it_was_trained_with():
    task = G1LocomotionEnvCfg()
    task.commands.base_velocity.ranges.lin_vel_x = tuple(
        json.loads((RUN / "config.json").read_text())["velocity_range"]
    )
    commands = json.loads((RUN / "bundle" / "deploy.json").read_text())["commands"]
    assert commands == _ranges(SimpleNamespace(cfg=task)) and commands["turn"] == [-0.48, 0.48]

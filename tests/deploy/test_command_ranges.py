"""A bundle takes the commands that its policy was trained with."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")

from isaaclab.envs.mdp import UniformVelocityCommandCfg
from small_bundle import facts

from amp_helpers.deploy.bundle import _lateral_limit, _ranges
from amp_helpers.deploy.readme import bundle_readme
from amp_helpers.deploy.unitree import unitree_config
from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.env.locomotion import G1LocomotionEnvCfg
from amp_helpers.env.task import G1AmpEnvCfg

POLICIES = Path(__file__).parents[2] / "policies"


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


@pytest.mark.parametrize(
    ("speeds", "turns", "limit"),
    [
        ((0.0, 2.6), (-1.0, 1.0), {"max_lateral_acceleration": 1.2}),
        ((-2.0, 1.0), (-0.2, 0.7), {"max_lateral_acceleration": 1.2}),
        ((0.0, 1.2), (-1.0, 1.0), {}),  # each speed with each turn
        ((2.5, 2.9), (0.8, 0.8), {}),  # an exact command stays exact
    ],
)
def test_a_bundle_limits_speed_times_turn_where_the_ranges_hold_more_than_was_drawn(speeds, turns, limit):
    assert _lateral_limit(SimpleNamespace(cfg=SimpleNamespace(commands={"pace": command(speeds, turns)}))) == limit


def test_commands_of_other_kinds_have_no_such_limit():
    ranges = UniformVelocityCommandCfg.Ranges(lin_vel_x=(0, 3), lin_vel_y=(0, 0), ang_vel_z=(-2, 2))
    commands = {"pace": UniformVelocityCommandCfg(ranges=ranges)}
    for task in (SimpleNamespace(commands=commands), SimpleNamespace(commands={})):
        assert _lateral_limit(SimpleNamespace(cfg=task)) == {}


@pytest.mark.parametrize(
    ("name", "turns"), [("g1_run", [-0.48, 0.48]), ("g1_locomotion", [-1.0, 1.0]), ("g1_walk", [-0.5, 0.5])]
)
def test_the_shipped_bundles_take_what_their_policies_were_trained_with(name, turns):
    config = json.loads((POLICIES / name / "config.json").read_text())
    task = G1AmpEnvCfg() if "Velocity" in config["task"] else G1LocomotionEnvCfg()
    if trained := config.get("velocity_range"):
        task.commands.base_velocity.ranges.lin_vel_x = tuple(trained)
    facts = json.loads((POLICIES / name / "bundle" / "deploy.json").read_text())
    env = SimpleNamespace(cfg=task)
    assert facts["commands"] == _ranges(env) and facts["commands"]["turn"] == turns
    assert {key: facts[key] for key in ("max_lateral_acceleration",) if key in facts} == _lateral_limit(env)
    assert ("max_lateral_acceleration" in facts) == (name != "g1_walk")


def test_whoever_reads_a_bundle_without_our_code_is_told_of_the_limit():
    content = facts(robot="mine", action_offset=[0.0, 0.0], max_lateral_acceleration=1.2)
    assert "\nTurns are trained up to 1.2 m/s² (`max_lateral_acceleration`) over the forward speed." in bundle_readme(
        content, []
    )
    assert any("a turn of more than 1.2 m/s^2 over the forward speed" in note for note in unitree_config(content)[1])
    del content["max_lateral_acceleration"]
    assert "m/s²" not in bundle_readme(content, [])
    assert not any("m/s^2" in note for note in unitree_config(content)[1])

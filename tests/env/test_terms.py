"""Tables of a task's terms come from the configuration, without an environment."""

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.env.task import PolicyObservationsCfg, RewardsCfg, TerminationsCfg
from amp_helpers.env.terms import term_table


def test_rewards_have_their_weights():
    table = term_table(RewardsCfg())
    assert table.header[-1] == "weight per second"
    assert {row[0]: row[-1] for row in table.rows}["fallen"] == -50.0
    assert all(row[1] for row in table.rows)


def test_terminations_have_their_limits():
    table = term_table(TerminationsCfg())
    assert {row[0]: row[-1] for row in table.rows} == {
        "time_out": "",
        "tilted": "limit_angle 1.0",
        "sunk": "minimum_height 0.4",
    }


def test_observations_have_their_noise_and_whole_first_sentences():
    rows = {name: (meaning, noise) for name, meaning, noise in term_table(PolicyObservationsCfg()).rows}
    assert rows["base_lin_vel"][1] == "± 0.1" and rows["actions"][1] == "none"
    assert rows["joint_pos"][0] == "The joint positions of the asset w.r.t. the default joint positions"

"""The sentence about a run tells learning from standing still, by the falls of real runs."""

import pytest

from amp_helpers.agent.health import Health, describe_progress
from amp_helpers.training.run_folder import read_run


def health(update: int = 40, **changed: float) -> Health:
    usual = {"accuracy": 0.98, "style_reward": 0.15, "weighted_style": 2.0, "weighted_task": -1.5}
    values = dict.fromkeys(Health.names(), 0.1) | {"style_reward_limit": 1.0} | usual | changed
    return Health(**(values | {"update": update}))


@pytest.mark.parametrize(
    ("falls", "begins"),
    [
        # Notebook 4 as it is set: 16 environments and 40 updates on a CPU.
        ([13.125, 14.06, 13.28, 12.5], "No clear progress since update 9: a robot falls 12 times in 10 s, 13 at first"),
        # The first updates of policies/g1_walk.
        ([13.125, 12.66, 11.41, 11.09, 9.53], "Learning: a robot falls 9.5 times in 10 s, 13 at first"),
        ([13.1, 9.0, 5.4, 5.3, 5.5, 5.4], "No clear progress since update 27"),
        ([2.0, 0.5, 0.0, 0.0], "Learning: a robot falls 0 times in 10 s, 2 at first"),
        (
            [13.0, 8.0, 3.0, 1.2, 1.15, 1.2, 1.2],
            "Learning: a robot falls 1.2 times in 10 s, 13 at first. Level since update 36: falls no longer show",
        ),
        # As in policies/g1_locomotion, which falls more often before it falls less.
        ([13.0, 18.0, 8.0, 1.6, 1.6, 1.6, 1.6], "Learning: a robot falls 1.6 times in 10 s, 13 at first. Level since"),
        ([9.0, 8.0, 0.3, 0.2, 0.2, 0.3], "Learning: a robot falls 0.3 times in 10 s, 9 at first. Level since update"),
        ([2.0, 0.5, 0.0, 0.0, 0.0], "Learning: a robot falls 0 times in 10 s, 2 at first. In update"),
        ([2.0, 0.0, 0.0, 0.0, 0.0], "Learning: a robot falls 0 times in 10 s, 2 at first. Level since update 18: "),
        ([13.0, 1.3, 1.0, 0.7, 0.4], "Learning: a robot falls 0.4 times in 10 s, 13 at first. In update"),
        ([2.0, 3.0, 4.5, 6.0], "Getting worse: a robot falls 6 times in 10 s, 2 at first"),
        ([13.0, 13.0, 13.0], "Too early to tell whether it learns"),
    ],
)
def test_the_trend_of_the_falls_decides(falls, begins):
    sentence = describe_progress([health()], [(9 * (i + 1), value) for i, value in enumerate(falls)])
    assert sentence.startswith(begins)
    assert sentence.endswith(
        "In update 40, the discriminator classifies 98% of windows correctly, and the style reward is 0.15 of at most "
        "1.0; style is 57% of the reward."
    ), "numbers, and no praise that the updates of a run that fails would earn as well"


def test_a_discriminator_without_a_signal_comes_first():
    sentence = describe_progress([health(style_reward=0.0, accuracy=1.0)], [(9, 0.0)] * 4)
    assert sentence.startswith("Saturated: ")


@pytest.mark.parametrize("name", ["g1_walk", "g1_walk_speeds", "g1_run", "g1_locomotion", "g1_dance"])
def test_a_shipped_run_is_hardly_ever_said_to_stand_still(repo_root, name):
    updates = read_run(repo_root / "policies" / name).updates
    falls = [(u.health.update, u.gait["falls_per_env_10s"]) for u in updates if u.gait]
    said = [describe_progress([health()], falls[:count]).split(":")[0] for count in range(5, len(falls) + 1)]
    assert said.count("Learning") > 0.95 * len(said) and said[-1] == "Learning"

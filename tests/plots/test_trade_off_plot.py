"""The figure of what the style weight trades."""

import numpy as np
import pytest

from amp_helpers.plots.trade_off import style_weights
from amp_helpers.training.trials import Trial


def trial(error: float, response_s: float | None = 2.0) -> Trial:
    def row(forward: float, turn: float = 0.0, falls: float = 0.0) -> dict[str, float | None]:
        return {
            "forward": forward,
            "turn": turn,
            "tracking_rmse_mps": error if turn == 0 else 9.0,
            "turn_error_radps": 9.0 if turn == 0 else 2 * error,
            "pose_rmse_rad": forward * error,
            "gait_frequency_ratio": 1.0 if forward else None,
            "falls_per_env_10s": falls,
        }

    grid = (row(0.0), row(2.5), row(0.6), row(1.2), row(0.6, 0.4))
    return Trial("", 0, 300, grid, (row(0.0, falls=error), row(0.6, 0.4, falls=3 * error)), response_s)


def test_first_trainings_are_joined_and_others_are_dots():
    figure = style_weights({40.0: [trial(0.1), trial(0.2, None)], 10.0: [trial(0.3, 1.0)]})
    lines = {
        axes.get_title(loc="left"): [np.asarray(line.get_xydata()).tolist() for line in axes.lines]
        for axes in figure.axes
    }
    near = pytest.approx
    dots, line = lines["tracking error, m/s"]
    assert dots == [[40, near(0.2)]] and line == [[10, near(0.3)], [40, near(0.1)]]
    assert lines["turn error, rad/s"][1] == [[10, near(0.6)], [40, near(0.2)]]
    assert lines["response to a step, s"][1] == [[10, 1], [40, 2]]
    assert lines["falls in 10 s, pushed"][1] == [[10, near(0.6)], [40, near(0.2)]], "over all commands"
    _, fastest, _, walking = lines["pose RMSE, rad"]
    assert fastest[1] == [40, near(0.25)] and walking[1] == [40, near(0.09)], "walking: 0.6 and 1.2 m/s"
    assert lines["stride frequency ratio"][1] == [[10, 1], [40, 1]], "standing has no stride"
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["10", "40"]

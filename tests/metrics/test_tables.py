"""Metrics as tables."""

import pytest
from known_rollouts import make_reference, make_rollout

from amp_helpers.errors import InputError
from amp_helpers.metrics.grid import grid_row
from amp_helpers.metrics.names import METRICS
from amp_helpers.metrics.tables import column_names, metrics_table


def test_metrics_table_takes_the_content_of_metrics_json_also_of_earlier_versions():
    keys = (
        "falls_per_env_10s velocity_error_mps gait_frequency_hz gait_frequency_ratio pose_rmse_rad "
        "coverage_rmse_rad foot_skate_mps action_rate mechanical_power_w"
    )
    table = metrics_table({"mine": dict.fromkeys(keys.split(), 1.5) | {"pose_rmse_rad": None}})
    shown = [row for row in table.rows if row[1] == 1.5]
    assert len(shown) == 8 and len(table.rows) > 9
    assert "1.5" in str(table) and "undefined" in str(table)


def test_a_metric_without_a_short_name_is_refused_with_those_that_have_one():
    assert column_names(["forward", "pose_rmse_rad"]) == ("m/s", "pose RMSE, rad")
    with pytest.raises(InputError, match="metrics jump_m have no short name; available: forward, turn, falls_per_env_"):
        column_names(["pose_rmse_rad", "jump_m"])


def test_every_metric_of_a_grid_has_one_name_of_its_own():
    measured = grid_row(make_rollout(), make_reference())
    assert set(measured) - {"forward", "turn"} == set(METRICS)
    for heads in ([metric.label for metric in METRICS.values()], [metric.description for metric in METRICS.values()]):
        assert len(set(heads)) == len(METRICS)

"""Tables show what they are given, in numbers that read as numbers."""

import numpy as np
import pytest

from amp_helpers.utils.table import Table, low_to_high, metrics_table, number, pickle_table


def test_tables_escape_align_and_mark_rows():
    table = Table(("name", "value"), [("<b>", 0.123456), ("nothing", float("nan"))], marked=frozenset({1}))
    page = table._repr_html_()
    assert "&lt;b&gt;" in page and "0.123" in page and "undefined" in page
    assert page.count("background") == 1
    assert str(table).splitlines()[2].startswith("* nothing")


def test_metrics_table_takes_the_content_of_metrics_json_also_of_earlier_versions():
    keys = (
        "falls_per_env_10s velocity_error_mps gait_frequency_hz gait_frequency_ratio pose_rmse_rad "
        "coverage_rmse_rad foot_skate_mps action_rate mechanical_power_w"
    )
    table = metrics_table({"mine": dict.fromkeys(keys.split(), 1.5) | {"pose_rmse_rad": None}})
    shown = [row for row in table.rows if row[1] == 1.5]
    assert len(shown) == 8 and len(table.rows) > 9
    assert "1.5" in str(table) and "undefined" in str(table)


def test_pickle_table_shows_types_and_shapes():
    table = str(pickle_table({"fps": 30.0, "dof_pos": np.zeros((5, 29), np.float32), "link_body_list": ["pelvis"]}))
    assert "float32 (5, 29)" in table and "list of 1" in table and "frames per second" in table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.123456, "0.123"),
        (-0.0119, "-0.0119"),
        (139.06, "139"),
        (1234.5, "1234"),
        (1.39e-5, "1.39·10⁻⁵"),
        (-2e-5, "-2·10⁻⁵"),
        (2.5e9, "2.5·10⁹"),
        (float("inf"), "inf"),
        (float("nan"), "undefined"),
    ],
)
def test_a_number_has_three_digits_and_no_e(value, text):
    assert number(value) == text
    assert Table(("",), [(value,)])._cells() == [[text]]


def test_a_range_is_one_number_where_its_ends_read_alike():
    assert low_to_high([0.08199, 0.08201]) == "0.082" and low_to_high([1e-5, 1234.0]) == "1·10⁻⁵ to 1234"
    assert low_to_high([]) == "undefined"


def test_the_first_values_of_a_pickle_are_not_cut_off():
    table = str(pickle_table({"dof_pos": np.array([[-2.8339e-05, 0.154954]])}))
    assert "-0.000028 0.154954" in table

"""Figures of a policy outside its simulator draw the values that they are given."""

from amp_helpers.plots.deployment import one_change_at_a_time


def test_changes_are_differences_from_what_was_not_changed_and_the_largest_is_at_the_top():
    speeds = {"": 1.0, "friction 2": 1.1, "mass 0.9": 0.7, "fallen": None}
    rows = [{"changed": changed, "forward_speed_mps": speed} for changed, speed in speeds.items()]
    other = [{"changed": "", "forward_speed_mps": 2.0}, {"changed": "friction 2", "forward_speed_mps": 2.5}]
    axes = one_change_at_a_time({"slow": rows, "fast": other}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mass 0.9", "friction 2"]
    _, slow, fast = axes.lines
    assert slow.get_xydata().round(6).tolist() == [[-0.3, 0], [0.1, 1]] and fast.get_xydata().tolist() == [[0.5, 1]]

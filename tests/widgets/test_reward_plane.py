"""The widget of AMP in two dimensions follows its controls."""

import pytest

from amp_helpers.lessons.plane import POLICY
from amp_helpers.widgets import RewardPlane
from amp_helpers.widgets.still import widget_html


@pytest.fixture(scope="module")
def plane():
    return RewardPlane()


@pytest.mark.slow
def test_a_change_trains_anew_and_is_drawn(plane):
    ramp, picture = plane.reading, plane.image.value
    plane.penalty.value = 0.0
    assert plane.reading.slope < 0.1 * ramp.slope and plane.image.value != picture
    assert "does not get to the reference" in plane.text.value
    plane.penalty.value = 10.0
    assert plane.reading == ramp and "climbs 8" in plane.text.value
    plane.x.value = 0.5
    assert plane.plane.policy.mean(0)[0].item() == pytest.approx(0.5, abs=1e-5)


@pytest.mark.slow
def test_the_policy_learns_and_starts_again(plane):
    plane.reset_button.click()
    start = plane.plane.gap()
    plane.learn_button.click()
    assert plane.plane.gap() < 0.9 * start
    plane.reset_button.click()
    assert plane.plane.gap() == pytest.approx(start) and (plane.x.value, plane.y.value) == POLICY


def test_controls_are_labeled_and_the_still_describes_its_picture(plane):
    for control in (plane.penalty, plane.noise, plane.x, plane.y, plane.learn_button, plane.reset_button):
        assert control.description and control.tooltip
    model = {"model_name": "ImageModel", "state": plane.image.get_state(), "buffers": [{"path": ["value"], "data": ""}]}
    assert 'alt="Heat map of the style reward' in widget_html("image", {"image": model})

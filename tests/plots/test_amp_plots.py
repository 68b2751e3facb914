"""Figures that explain AMP have content and state what they show."""

import io

import numpy as np
from matplotlib.image import imread

from amp_helpers.lessons.plane import PlaneAmp
from amp_helpers.plots.amp import amp_loop, reward_planes


def pixels(figure) -> np.ndarray:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    buffer.seek(0)
    return imread(buffer)


def test_the_loop_names_every_part_and_fits_a_phone():
    figure = amp_loop()
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"policy", "simulator", "window", "discriminator", "style reward", "reference clips", "logit"} <= texts
    assert figure.get_figwidth() * 88 < 390
    assert np.ptp(pixels(figure)[..., :3]) > 0.5


def test_rewards_in_the_plane_have_one_map_each_and_one_profile():
    planes = {"a": PlaneAmp(gradient_penalty=0.0).train(20), "b": PlaneAmp().train(20)}
    figure = reward_planes(planes)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert {"a", "b"} <= set(titles) and len(figure.axes) == 3
    assert np.ptp(pixels(figure)[..., :3]) > 0.5

"""A figure says where it can be cut into panels."""

import io
import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from amp_helpers import plots
from amp_helpers.plots.panels import PANELS, panel_rows, save_png


@pytest.fixture
def figure() -> Figure:
    return Figure((6, 4), layout="constrained")


def ends(figure: Figure) -> list[list[float]]:
    return [row for _, row in panel_rows(figure)]


def test_pictures_are_cut_between_them():
    cut = panel_rows(plots.pictures([np.zeros((4, 6, 3), np.uint8)] * 3, ("a", "b", "c")))
    assert [lower for lower, _ in cut] == [1.0]
    assert cut[0][1] == pytest.approx([1 / 3, 2 / 3, 1], abs=0.02)


def test_a_grid_has_rows_of_panels_and_a_legend_is_a_row_of_its_own(figure):
    for axes in figure.subplots(2, 2).flat:
        axes.plot([0, 1], label="line")
    figure.legend(["line"], loc="outside upper center")
    assert [len(row) for row in ends(figure)] == [1, 2, 2]


def test_panels_that_share_their_tick_labels_stay_together(figure):
    figure.subplots(2, 3, sharex=True)
    assert [len(row) for row in ends(figure)] == [3], "the upper ones have the numbers of those below"
    figure.clear()
    figure.subplots(2, 3, sharey=True)
    assert [len(row) for row in ends(figure)] == [1, 1]


def test_a_label_of_all_rows_stays_with_the_panels_beside_it(figure):
    figure.subplots(2, 2)
    figure.supylabel("height, m")
    (row,) = ends(figure)
    assert len(row) == 2 and row[0] > 0.4


def test_the_file_says_it_where_there_is_something_to_cut(figure):
    figure.subplots(1, 2)
    one = Figure((6, 4))
    one.subplots()
    files = [io.BytesIO() for _ in range(2)]
    save_png(figure, files[0], 50)
    save_png(one, files[1], 50)
    cut, whole = (Image.open(file) for file in files)
    assert cut.size == (300, 200) and json.loads(cut.info[PANELS]) == [[1.0, panel_rows(figure)[0][1]]]
    assert PANELS not in whole.info

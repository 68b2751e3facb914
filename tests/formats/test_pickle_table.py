"""The content of a pickled motion as a table."""

import numpy as np

from amp_helpers.formats.pickles.table import pickle_table


def test_pickle_table_shows_types_and_shapes():
    table = str(pickle_table({"fps": 30.0, "dof_pos": np.zeros((5, 29), np.float32), "link_body_list": ["pelvis"]}))
    assert "float32 (5, 29)" in table and "list of 1" in table and "frames per second" in table


def test_the_first_values_of_a_pickle_are_not_cut_off():
    table = str(pickle_table({"dof_pos": np.array([[-2.8339e-05, 0.154954]])}))
    assert "-0.000028 0.154954" in table

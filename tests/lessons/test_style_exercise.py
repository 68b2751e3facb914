"""Grading of exercises: right answers pass, wrong ones are marked, unfinished ones are told what is missing."""

import re

import pytest
import torch

from amp_helpers.agent.losses import style_reward
from amp_helpers.errors import InputError
from amp_helpers.lessons.style_exercise import LOGITS, grade_style_reward
from amp_helpers.notebook.execute import NOTEBOOK_FOLDER, read_notebook


def test_this_projects_style_reward_passes():
    table = grade_style_reward(style_reward)
    assert len(table.rows) == 2 * len(LOGITS) and not table.marked


def test_the_folded_answer_of_notebook_0_passes():
    cells = read_notebook(NOTEBOOK_FOLDER / "00_amp_in_ten_minutes.ipynb").cells
    folded = "\n".join(cell.source for cell in cells if "<details>" in cell.source)
    (answer,) = re.findall(r"```python\n(def my_style_reward.*?)```", folded, re.DOTALL)
    namespace = {"torch": torch}
    exec(answer, namespace)
    assert not grade_style_reward(namespace["my_style_reward"]).marked


def test_a_reward_without_its_floor_is_marked_where_it_differs():
    table = grade_style_reward(
        lambda logits, loss: 1 - (logits - 1) ** 2 / 4 if loss == "lsgan" else style_reward(logits, loss)
    )
    assert [table.rows[i][:2] for i in sorted(table.marked)] == [("lsgan", -3.0), ("lsgan", 4.0)]


def test_an_unwritten_answer_is_to_do():
    table = grade_style_reward(lambda logits, loss: None)
    assert [row[-1] for row in table.rows] == ["to do", "to do"] and len(table.marked) == 2


@pytest.mark.parametrize(("answer", "got"), [(lambda d, loss: d[:, 0], r"shape \(7,\)"), (lambda d, loss: 1, "int")])
def test_another_shape_is_refused_and_the_one_it_names_is_graded(answer, got):
    with pytest.raises(InputError, match=rf"lsgan: returns {got}; return a tensor of shape \(7, 1\)"):
        grade_style_reward(answer)
    assert len(grade_style_reward(lambda d, loss: torch.zeros(7, 1)).rows) == 14

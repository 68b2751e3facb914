"""Exercises grade what a reader writes; the folded answers of the notebooks pass."""

import json
import re
from dataclasses import replace

import nbformat
import numpy as np
import pytest

from amp_helpers.checks.files import check_dataset_file
from amp_helpers.checks.table import ok
from amp_helpers.errors import InputError
from amp_helpers.formats.registry import read_motion
from amp_helpers.lessons.bugs import FAULTS, TASK_FAULTS, broken_clips, judge, judge_tasks, task_code
from amp_helpers.lessons.exercises import known_feet, try_check, try_metric, try_reader, write_odd_file
from amp_helpers.lessons.gaits import half_steps
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.training.comparisons import read_results


@pytest.fixture(scope="module")
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl").select(G1_23DOF.joint_names)


def answer(repo_root, name: str, function: str) -> dict:
    """Run the code of a notebook's folded answer that defines ``function``, after the notebook's imports."""
    cells = nbformat.read(repo_root / "notebooks" / f"{name}.ipynb", as_version=4).cells
    folded = [block for cell in cells for block in re.findall(r"<details>.*?```python\n(.*?)```", cell.source, re.S)]
    (code,) = [block for block in folded if f"def {function}(" in block]
    imports = "\n".join(line for line in code.splitlines() if re.match(r"import |from ", line))
    names: dict = {}
    exec(imports + "\n" + code, names)  # our own notebook
    return names


def verdicts(table) -> list[str]:
    return [str(row[-1]) for row in table.rows]


def test_a_check_is_graded_case_by_case(walk):
    cases = {"sound": (walk, "ok"), "broken": (walk, "fail")}
    assert verdicts(try_check(lambda motion: ok("fine"), cases)) == ["right", "not yet"]
    assert verdicts(try_check(lambda motion: None, cases)) == ["not yet", "not yet"]


def test_a_metric_is_graded_by_known_answers(walk):
    cases = {"one": (walk, 1.0), "two": (walk, 2.0)}
    assert verdicts(try_metric(lambda motion: 1.04, cases)) == ["right", "not yet"]
    assert verdicts(try_metric(lambda motion: None, cases)) == ["not yet", "not yet"]
    assert verdicts(try_metric(lambda falls: falls[0] > 1, {"yes": ([2], True), "no": ([2], False)})) == [
        "right",
        "not yet",
    ]


def test_a_reader_is_graded_fact_by_fact(walk, tmp_path):
    path = write_odd_file(tmp_path / "odd.json", walk)

    def half_right(path) -> Motion:
        content = json.loads(path.read_text())
        frames = np.array(content["frames"])
        roots = frames[:, :3] / 1000, frames[:, 3:7]
        return Motion(content["rate"], tuple(content["joints"]), frames[:, 7:], *roots)

    graded = try_reader(half_right, path, walk)
    assert verdicts(graded) == ["right", "right", "right", "not yet", "right", "not yet"], "degrees and wxyz are left"
    assert set(verdicts(try_reader(lambda path: None, path, walk))) == {"not yet: it returned no Motion"}
    assert "ZeroDivisionError" in verdicts(try_reader(lambda path: 1 / 0, path, walk))[0]


def test_the_folded_answers_of_the_notebooks_are_right(repo_root, walk, tmp_path):
    read_odd = answer(repo_root, "02_gmr_conversion", "read_odd")["read_odd"]
    assert set(verdicts(try_reader(read_odd, write_odd_file(tmp_path / "odd.json", walk), walk))) == {"right"}
    limp = answer(repo_root, "05_play_and_evaluate", "limp")["limp"]
    motions = {"walk": (walk, 0.0), "limping": (half_steps(walk, 0.5, "left"), 2 / 3)}
    assert set(verdicts(try_metric(limp, motions))) == {"right"}
    slide = answer(repo_root, "03_feet_removal", "slide")["slide"]
    assert set(verdicts(try_metric(slide, known_feet()))) == {"right"}
    learns = answer(repo_root, "04_amp_training", "learns")["learns"]
    recorded = read_results(repo_root / "benchmarks" / "results" / "gpu_comparisons.json")
    runs = {name: recorded.group(name)[0].gait["falls_per_env_10s"] for name in ("ours", "no-style", "skrl")}
    assert set(verdicts(try_metric(learns, {name: (falls, name != "skrl") for name, falls in runs.items()}))) == {
        "right"
    }
    takes_turns = answer(repo_root, "01_joint_order", "legs_take_turns")["legs_take_turns"]
    run = read_motion(repo_root / "datasets" / "g1_run.pkl").select(walk.joint_names)
    columns = [walk.joint_names.index(name.replace("right_hip", "left_hip")) for name in walk.joint_names]
    hop = replace(walk, joint_pos=walk.joint_pos[:, columns])
    cases = {"walk": (walk, "ok"), "run": (run, "ok"), "hop": (hop, "fail")}
    assert set(verdicts(try_check(takes_turns, cases))) == {"right"}


@pytest.mark.slow
def test_the_preflight_judges_the_five_bugs(walk):
    clips = broken_clips(walk, G1_23DOF)
    assert list(clips) == list("ABCDE")
    solution = dict(
        zip(
            "ABCDE",
            (
                "one joint with the opposite sign",
                "frames repeated",
                "left and right exchanged",
                "frames lost",
                "default pose added or subtracted",
            ),
            strict=True,
        )
    )
    table = judge(solution, clips, walk, G1_23DOF)
    assert [row[2] for row in table.rows] == ["right"] * 5
    wrong = judge(dict.fromkeys("ABCD", "angles in degrees"), clips, walk, G1_23DOF)
    assert [row[2] for row in wrong.rows] == [""] * 5 and wrong.rows[4][3] == "name its fault"
    assert "opposite sign" not in str(wrong), "a wrong guess does not show the answer"
    with pytest.raises(InputError, match="'nonsense' is no fault of the list; available: angles in degrees"):
        judge({"A": "nonsense"}, clips, walk, G1_23DOF)


@pytest.mark.sim
def test_check_task_judges_the_five_tasks(repo_root):
    pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
    dataset = repo_root / "datasets" / "g1_walk.npz"
    solution = {
        "A": "another control step than the dataset's",
        "B": "a robot that lies or stands on its head at the start",
        "C": "joints that no action drives",
        "D": "a default angle with the wrong sign",
        "E": "no start in reference states",
    }
    assert list(task_code()) == list(solution)
    table = judge_tasks(solution, dataset)
    assert [row[2] for row in table.rows] == ["right"] * 5
    sound = check_dataset_file(dataset, "Isaac-AMP-Velocity-Flat-G1").findings
    assert not {check.name for check in sound}.intersection(TASK_FAULTS.values())


def test_a_task_without_a_named_fault_is_not_opened():
    table = judge_tasks({}, "none.npz")
    assert [row[3] for row in table.rows] == ["name its fault"] * 5
    with pytest.raises(InputError, match="task C: 'nonsense' is no fault of the list; available: another control step"):
        judge_tasks({"C": "nonsense"}, "none.npz")


def test_every_fault_names_a_check():
    from amp_helpers.checks.registry import CHECKS

    assert {*FAULTS.values(), *TASK_FAULTS.values()} <= set(CHECKS)

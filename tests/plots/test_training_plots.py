"""Figures of training and of recorded runs draw the recorded values and label gaps."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from amp_helpers.agent.health import Health
from amp_helpers.errors import InputError
from amp_helpers.plots.training import (
    FEET_METRICS,
    learning_curves,
    metric_dots,
    reward_units,
    training_curves,
)
from amp_helpers.training.comparisons import (
    Comparison,
    RecordedRun,
    Results,
    read_results,
    record_run,
    results_table,
    spread,
    write_results,
)
from amp_helpers.training.run_folder import Update


def update(number: int, gait=None, **changed: float) -> Update:
    values = dict.fromkeys(Health.names(), 0.5) | {"update": number, "style_reward_limit": 1.0} | changed
    return Update(Health(**values), 2.0 * number, gait)


def run(group: str, seed: int, task: list[float], ratio=(), metrics=None, seconds=7.0) -> RecordedRun:
    """Record a run of ten million environment steps per update."""
    numbers = list(range(1, len(task) + 1))
    clock = [60.0 + seconds * number for number in numbers]
    return RecordedRun(
        name=f"{group}-{seed}",
        group=group,
        seed=seed,
        command="train",
        commit="abc",
        hardware="a GPU",
        wall_s=clock[-1],
        updates=len(task),
        env_steps=10_000_000 * len(task),
        evaluation="evaluate",
        metrics={"falls_per_env_10s": 0.1, "pose_rmse_rad": None} if metrics is None else metrics,
        curve={"wall_s": clock, "update": numbers, "weighted_task": task},
        gait={"wall_s": clock[: len(ratio)], "gait_frequency_ratio": list(ratio)},
    )


@pytest.fixture
def results() -> Results:
    ours = [run("ours", seed, [seed, seed + 2.0], (None, 1.2)) for seed in (0, 1, 2)]
    return Results((Comparison("recipe", "Which?", {"ours": "ours", "theirs": "the others"}),), tuple(ours))


def test_style_reward_per_second_grows_with_the_control_rate_for_a_weight_per_step():
    step, second = reward_units([50, 100], per_step=0.1, per_second=5.0).axes[0].get_lines()
    assert step.get_ydata().tolist() == [5.0, 10.0]
    assert second.get_ydata().tolist() == [5.0, 5.0]


def test_training_curves_follow_the_updates():
    gait = {"falls_per_env_10s": 2.0, "gait_frequency_ratio": None, "pose_rmse_rad": 0.3, "coverage_rmse_rad": 0.2}
    figure = training_curves([update(1), update(2, gait, weighted_task=-3.0, style_reward=0.7)])
    rewards, _, accuracy, falls, frequency, poses = figure.axes
    assert rewards.get_lines()[0].get_ydata().tolist() == [0.5, -3.0]
    assert accuracy.get_lines()[1].get_ydata().tolist() == [0.5, 0.7]
    assert falls.get_lines()[0].get_xydata().tolist() == [[2.0, 2.0]]
    assert poses.get_lines()[1].get_ydata().tolist() == [0.2]
    assert frequency.texts[0].get_text() == "undefined while falling"
    written = {line.get_label() for axes in figure.axes for line in axes.get_lines()}
    assert {"task", "style", "reference", "policy", "accuracy", "style reward / maximum"} <= written
    assert {text.get_text() for axes in training_curves([update(1)]).axes for text in axes.texts} == {"not measured"}


def test_seeds_are_reduced_to_a_mean_and_a_range(results):
    steps, mean, low, high = spread(results.runs, "curve", "weighted_task", points=3)
    assert steps.tolist() == [10.0, 15.0, 20.0]
    assert mean.tolist() == [1.0, 2.0, 3.0] and low.tolist() == [0.0, 1.0, 2.0] and high.tolist() == [2.0, 3.0, 4.0]
    steps, mean, *_ = spread(results.runs, "gait", "gait_frequency_ratio", points=2)
    assert steps.tolist() == [20.0, 20.0] and mean.tolist() == [1.2, 1.2], "undefined values are skipped"
    assert all(part.size == 0 for part in spread(results.runs, "gait", "no_such_field"))


@pytest.mark.parametrize(("part", "field"), [("curve", "weighted_task"), ("gait", "gait_frequency_ratio")])
def test_wall_time_does_not_change_a_curve(part, field):
    task, ratio = [1.0, 3.0, 2.0, 5.0], (2.0, None, 1.5, 1.2)
    fast, slow = (run("ours", seed, task, ratio, seconds=s) for seed, s in enumerate((2.0, 50.0)))
    steps, mean, low, high = spread([fast, slow], part, field, points=7)
    assert steps.tolist() == [10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0]
    assert low.tolist() == high.tolist() == mean.tolist()
    for single in (fast, slow):
        alone = [axis.tolist() for axis in spread([single], part, field, points=7)]
        assert alone == [axis.tolist() for axis in (steps, mean, low, high)]


def test_gait_steps_are_interpolated_between_recorded_updates():
    thinned = run("ours", 0, [1.0, 2.0, 3.0, 4.0, 5.0], (3.0, 2.0, 1.0))
    for field, values in thinned.curve.items():
        thinned.curve[field] = values[::4]
    thinned.gait["wall_s"][1] += 2.0  # updates differ in duration
    steps, ratio, *_ = spread([thinned], "gait", "gait_frequency_ratio", points=3)
    assert steps.tolist() == [10.0, 20.0, 30.0] and ratio.tolist() == [3.0, 2.0, 1.0]


@pytest.mark.parametrize("missing", ["update", "wall_s"])
def test_a_run_without_updates_or_times_is_skipped(results, missing):
    incomplete = run("ours", 3, [100.0, 200.0], (None, 9.0))
    del incomplete.curve[missing]
    for key in (("curve", "weighted_task"), ("gait", "gait_frequency_ratio")):
        with_it, without = spread([*results.runs, incomplete], *key), spread(results.runs, *key)
        assert [part.tolist() for part in with_it] == [part.tolist() for part in without]
        assert all(part.size == 0 for part in spread([incomplete], *key))


def test_learning_curves_draw_the_recorded_groups(results):
    figure = learning_curves(results, "recipe")
    task, ratio = figure.axes
    assert task.get_xlabel() == ratio.get_xlabel() == "environment steps, millions"
    assert task.get_lines()[0].get_xdata()[[0, -1]].tolist() == [10.0, 20.0]
    assert "task reward" in task.get_title() + task.get_title("left") and "stride" in ratio.get_title("left")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ours"], "the other group has no runs"
    with pytest.raises(InputError, match="'feet' not found; available: recipe"):
        learning_curves(results, "feet")


def test_any_number_of_groups_is_drawn_under_any_name(results):
    """More groups than colors were left out, and a dollar sign began a formula, which ended in a traceback."""
    labels = {f"g{number}": f"${number} of \\frac$" for number in range(13)}
    run = results.runs[0]
    runs = tuple(replace(run, name=name, group=name) for name in labels)
    many = Results((Comparison("many", "What does $ buy? \\foo$", labels),), runs)
    for draw in (learning_curves, metric_dots):
        draw(many, "many").savefig(io.BytesIO(), format="png")
    assert len({(line.get_color(), line.get_linestyle()) for line in learning_curves(many, "many").axes[0].lines}) == 13
    dots = [line for line in metric_dots(many, "many").axes[0].lines if line.get_marker() == "o"]
    assert [line.get_ydata().tolist() for line in dots] == [[row] for row in range(13)]


def test_metric_dots_have_a_dot_per_seed_and_label_missing_values(results):
    falls, _, _, poses, _ = metric_dots(results, "recipe").axes
    assert falls.get_lines()[1].get_xydata().tolist() == [[0.1, 0.0]] * 3
    assert {text.get_text().strip() for text in poses.texts} == {"undefined", "no run"}
    assert [label.get_text() for label in falls.get_yticklabels()] == ["ours", "the others"]


def test_results_round_trip_and_damaged_files_are_refused(tmp_path, results):
    path = tmp_path / "results.json"
    write_results(path, results)
    assert read_results(path) == results
    content = json.loads(path.read_text())
    content["runs"][1]["name"] = "ours-0"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="two runs are named ours-0"):
        read_results(path)
    for damage in ('{"runs": []}', "[", '{"comparisons": [], "runs": [{"name": 1}]}'):
        path.write_text(damage)
        with pytest.raises(InputError, match=r"not a file of recorded runs|not valid JSON"):
            read_results(path)
    with pytest.raises(InputError, match="no recorded results"):
        read_results(tmp_path / "none.json")


def test_a_run_folder_is_recorded(repo_root):
    shipped = repo_root / "policies" / "g1_walk"
    labels = {"name": "x-0", "group": "x", "command": "c", "hardware": "h", "evaluation": "e"}
    entry = record_run(shipped, **labels, metrics={"falls_per_env_10s": 0.0, "pose_rmse_rad": float("nan")})
    config = json.loads((shipped / "config.json").read_text())
    lines = [json.loads(line) for line in (shipped / "health.jsonl").read_text().splitlines()]
    assert entry.updates == config["updates"] == len(lines)
    assert entry.env_steps == len(lines) * config["num_envs"] * config["rollouts"]
    assert len(entry.curve["wall_s"]) == 100
    assert entry.curve["weighted_task"][-1] == pytest.approx(lines[-1]["weighted_task"], rel=1e-4)
    assert entry.metrics == {"falls_per_env_10s": 0.0, "pose_rmse_rad": None}


@pytest.mark.slow
@pytest.mark.parametrize("file", ["gpu_comparisons.json", "gpu_trials.json"])
def test_the_repository_s_recorded_comparisons_can_be_drawn(repo_root, file):
    recorded = read_results(repo_root / "benchmarks" / "results" / file)
    assert recorded.runs
    for comparison in recorded.comparisons:
        assert learning_curves(recorded, comparison.name).axes[0].get_lines(), comparison.name
        assert np.isfinite(metric_dots(recorded, comparison.name).axes[0].dataLim.x1)


def test_metric_dots_can_show_the_skate_which_has_no_target(results):
    figure = metric_dots(results, "recipe", FEET_METRICS)
    assert [axes.get_title(loc="left") for axes in figure.axes][-1] == "foot skate, m/s"
    assert len(figure.axes) == len(FEET_METRICS)


def test_the_table_of_results_has_the_range_of_each_metric():
    runs = [run("a-b", seed, [1.0], metrics={"pose_rmse_rad": 0.02 + 0.01 * seed}) for seed in (0, 1)]
    table = results_table(Results((), (*runs, run("c", 0, [1.0], metrics={"falls_per_env_10s": 0.0}))))
    assert [row[:2] for row in table.rows] == [("a b", 2), ("c", 1)]
    assert table.header[2:] == ("falls in 10 s", "pose RMSE, rad"), "what no run measured has no column"
    assert table.rows[0][3] == "0.02 to 0.03" and table.rows[1][2] == "0" and table.rows[1][3] == "undefined"


def test_a_long_question_is_wrapped_and_no_word_of_it_is_lost(repo_root):
    recorded = read_results(repo_root / "benchmarks" / "results" / "gpu_comparisons.json")
    question = recorded.comparison("feet-published").question
    assert len(question) > 60
    for figure in (learning_curves(recorded, "feet-published"), metric_dots(recorded, "feet-published")):
        title = figure.get_suptitle()
        assert title.split() == question.split() and max(map(len, title.splitlines())) <= 60

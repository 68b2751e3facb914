"""A study's file: which trainings it asks for, and what is refused."""

from pathlib import Path

import pytest

from amp_helpers.errors import InputError
from amp_helpers.evaluate import parse as evaluate_options
from amp_helpers.training.command import parse
from amp_helpers.training.study import parse_groups, read_study

STUDIES = sorted((Path(__file__).parents[2] / "benchmarks" / "studies").glob("*.toml"))


def study(folder: Path, text: str):
    (folder / "style.toml").write_text(text)
    return read_study(folder / "style.toml")


def test_each_group_is_trained_with_each_seed_and_the_first_seed_comes_first(tmp_path):
    text = """
        question = "Style?"
        seeds = [0, 7]
        train = {num_envs = 64, symmetry = true, randomize = ["mass", "push"]}
        evaluate = {velocity = 0.75, pushes = true}
        groups."no style" = {style_weight = 0.0}
        groups.ours = {num_envs = 32, symmetry = false}
    """
    found = study(tmp_path, "\n".join(line.strip() for line in text.splitlines()))
    assert [run.name for run in found.runs] == ["no-style-0", "ours-0", "no-style-7", "ours-7"]
    assert found.comparison.question == "Style?" and found.comparison.groups == {"no-style": "no style", "ours": "ours"}
    first = parse(found.runs[0].train)
    assert (first.num_envs, first.symmetry, first.randomize) == (64, True, ("mass", "push"))
    assert first.agent.style_weight == 0.0
    assert parse(found.runs[1].train).num_envs == 32 and not parse(found.runs[1].train).symmetry
    assert found.evaluate == ("--velocity", "0.75", "--pushes")


def test_a_grid_is_every_combination(tmp_path):
    found = study(tmp_path, "[grid]\nstyle_weight = [5.0, 20.0]\nnum_envs = [8, 16]\n")
    assert list(found.comparison.groups.values())[1] == "style_weight 5.0, num_envs 16"
    assert [run.seed for run in found.runs] == [0] * 4 and len({run.name for run in found.runs}) == 4


def test_a_common_option_is_left_out_where_a_group_ignores_it_and_a_note_says_so(tmp_path):
    text = """
        seeds = [0, 1]
        train = {final_std_updates = 90, condition_on_command = true, match_commands = false, window = 4}
        groups."own noise" = {final_std = 0.0}
        groups.plain = {condition_on_command = false}
    """
    found, settings, notes = parse_groups(study(tmp_path, "\n".join(line.strip() for line in text.splitlines())))
    assert notes == [
        "group 'own noise' ignores final_std_updates, which has no effect without final_std",
        "group 'plain' ignores match_commands, which has no effect without condition_on_command",
    ]
    windows = {label: cfg.window for label, cfg in settings.items()}
    assert windows == {"own noise": 4, "plain": 4}, "one of each group, whatever the seeds"
    runs = {run.name: parse(run.train) for run in found.runs}
    assert all(cfg.window == 4 for cfg in runs.values()) and len(runs) == 4
    assert not runs["own-noise-1"].match_commands and runs["plain-1"].agent.final_std_updates == 90


@pytest.mark.parametrize(
    "text",
    [
        "train = {final_std_updates = 90, final_std = 0.0}\n[groups.a]\n[groups.b]",
        "[groups.a]\nfinal_std = 0.0\nfinal_std_updates = 90\n[groups.b]",
    ],
    ids=["no group uses it", "the group's own"],
)
def test_an_option_that_only_ignoring_groups_have_is_refused(tmp_path, text):
    with pytest.raises(InputError, match="--final_std_updates: has no effect without --final_std; give"):
        parse_groups(study(tmp_path, text))


def test_a_program_may_use_what_the_other_groups_ignore(tmp_path):
    text = "train = {final_std = 0.0, final_std_updates = 90}\n[groups.a]\n[groups.b]\nprogram = 'mine'"
    found, settings, notes = parse_groups(study(tmp_path, text))
    assert list(settings) == ["a"], "of the group without a program"
    assert [note.partition(",")[0] for note in notes] == ["group 'a' ignores final_std_updates"]
    assert "--final_std_updates" not in found.runs[0].train and "--final_std_updates" in found.runs[1].train


@pytest.mark.parametrize(
    ("text", "sentence", "cured"),
    [
        ("seeds = [0", "is no TOML", "seeds = [0]\n[groups.a]"),
        ("seed = 3", "'seed' is no part of a study; available: question, seeds, train", "[groups.a]"),
        ("seeds = [0]", "has neither groups nor a grid; give one", "seeds = [0]\n[groups.a]"),
        ("[groups.a]\n[grid]\nwindow = [1]", "has both groups and a grid; give one", "[grid]\nwindow = [1]"),
        ("seeds = [-1]\n[groups.a]", r"seeds is \[-1\]; give a list of numbers", "seeds = [1]\n[groups.a]"),
        ("seeds = 3\n[groups.a]", "seeds is 3; give a list of numbers", "seeds = [3]\n[groups.a]"),
        ("[groups.a]\nrun_dir = 'x'", "a holds run_dir, which the study sets itself or cannot compare", "[groups.a]"),
        ("[groups.a]\ndataset = {x = 1}", "dataset is {'x': 1}; give a number", "[groups.a]\ndataset = 'x'"),
        ("[groups.'a b']\n[groups.a-b]", "two groups have the same letters", "[groups.'a b']\n[groups.c]"),
        ("groups = 3", r"groups is no table; write a line \[groups.NAME\] for each", "[groups.NAME]"),
        (
            "train = 3\n[groups.a]",
            r"train is no table; write its options below a line \[train\]",
            "[train]\n[groups.a]",
        ),
        ("[grid]\nwindow = 8", "window of the grid is no list; give its values as a list", "[grid]\nwindow = [8]"),
        (
            "[groups.a]\n'run-dir' = 'x'",
            r"a holds 'run-dir'; write an option with small letters and _, without --",
            "[groups.a]\nwindow = 4",
        ),
        ("[groups.a]\nhelp = true", "a holds help, which the study sets itself", "[groups.a]"),
        ("[groups.a]\nfeatures = ['-h']", "which reads as an option; begin no text with -", "[groups.a]\ntask = 'h'"),
        ("[groups.a]\nprogram = 3", "program of a is 3; give its name in quotation marks", "[groups.a]\nprogram = '3'"),
        ("question = 3\n[groups.a]", "question is 3; write it in quotation marks", "question = '3'\n[groups.a]"),
        ("[grid]", "the grid holds no option; give one or more, each with a list", "[grid]\nwindow = [8]"),
        (
            "[grid]\n" + "\n".join(f"option_{i} = [1, 2, 3, 4, 5, 6, 7, 8, 9]" for i in range(30)),
            r"asks for \d{20,} trainings; give fewer values or seeds",
            "[grid]\nwindow = [1, 2]",
        ),
        (
            "seeds = [0, 1, 2, 3, 4]\n[grid]\n" + "\n".join(f"option_{i} = [1, 2, 3, 4, 5, 6, 7]" for i in range(4)),
            "asks for 12005 trainings; give fewer values or seeds",
            "[grid]\nwindow = [1, 2]",
        ),
        (f"seeds = [{'9' * 5000}]\n[groups.a]", "is no TOML", "[groups.a]"),
        (f"seeds = [0x{'f' * 5000}]\n[groups.a]", "seeds is .0xf+….; give a list of numbers", "[groups.a]"),
        (f"[groups.a]\nwindow = 0x{'f' * 5000}", "window is 0xf+…; give a number", "[groups.a]"),
        (
            "[evaluate]\nvideo = true\n[groups.a]",
            "evaluate holds video, which the study sets",
            "[evaluate]\n[groups.a]",
        ),
    ],
)
def test_what_is_no_study_is_refused_in_a_sentence_that_cures_it(tmp_path, text, sentence, cured):
    with pytest.raises(InputError, match=sentence):
        study(tmp_path, text)
    assert study(tmp_path, cured).runs


def test_the_values_of_a_grid_may_differ_in_signs_alone_and_be_long(tmp_path):
    text = "[grid]\ndrop_joints = ['.*_yaw', '.?_yaw']\n" + "\n".join(f"a_long_option_{i} = [1]" for i in range(30))
    names = [run.name for run in study(tmp_path, text).runs]
    assert len(set(names)) == 2 and all(len(name) < 120 for name in names)


def test_a_file_of_an_editor_that_marks_its_encoding(tmp_path):
    (tmp_path / "marked.toml").write_bytes(b"\xef\xbb\xbf[groups.a]\n")
    assert read_study(tmp_path / "marked.toml").runs


def test_what_is_off_is_not_asked_of_evaluate(tmp_path):
    """Its switches have no --no_ form."""
    assert (
        evaluate_options(
            ["--checkpoint", "P", "--output", "O", *study(tmp_path, "evaluate = {pushes = false}\n[groups.a]").evaluate]
        ).pushes
        is False
    )


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="there is no such file; give a study's TOML file"):
        read_study(tmp_path / "none.toml")
    assert study(tmp_path, "[groups.a]").runs


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_recorded_studies_are_understood(path):
    found = read_study(path)
    assert len(found.comparison.groups) >= 2
    for run in found.runs:
        if run.program is None:
            parse(run.train)

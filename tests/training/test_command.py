"""The command line of training: Isaac Lab's habits and mistakes end in one sentence, before anything is loaded."""

import subprocess
import sys

import pytest

from amp_helpers.errors import InputError
from amp_helpers.training.command import parse


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            "--video --video_length 200",
            "--video: training renders nothing; leave it out, and record the policy afterwards",
        ),
        ("--video_interval 2000", "--video_interval: training renders nothing; leave it out, and record the policy"),
        ("--livestream 2", "--livestream: training never opens a window or renders; leave it out"),
        ("--enable_cameras", "--enable_cameras: training never opens a window or renders; leave it out"),
        ("--load_run 2026-01-31", "--load_run: name the folder of the run with --checkpoint"),
        ("--experiment_name walk", "--experiment_name: name the folder of the run with --run_dir"),
        ("--algorithm AMP", "--algorithm: training is AMP; leave it out"),
        (
            "env.rewards.upright.weight=-2",
            "settings are options here, not Hydra overrides (--help lists them); to change",
        ),
        ("+env.sim.gravity=[0,0,-1]", "settings are options here, not Hydra overrides (--help lists them); to"),
        ("agent.entropy=0.01", "settings are options here, not Hydra overrides; write --entropy 0.01"),
        ("agent.time_limit_bootstrap=false", "not Hydra overrides; write --no_time_limit_bootstrap"),
        ("agent.hidden=[512,256]", "not Hydra overrides; write --hidden 512 256"),
        ("env.scene.num_envs=64", "settings are options here, not Hydra overrides; write --num_envs 64"),
        (
            "physics=newton_mjwarp",
            "settings are options here, not Hydra overrides; write --physics",
        ),
        ("--num_env 4", "Unrecognized options: --num_env, 4; --num_envs exists, --help lists the options"),
        ("--foo 4", "Unrecognized options: --foo, 4; --help lists the options"),
        (
            "--no_match_commands",
            "--no_match_commands: has no effect without --condition_on_command; give --condition_on_command too, or",
        ),
        ("--feet left_foot", "--feet: has no effect without --robot; give --robot too, or leave it out"),
        ("--recipe published --final-std-updates 90", "--final_std_updates: has no effect without --final_std; give"),
        ("--kl_threshold 0 --min_learning_rate=1e-4", "--min_learning_rate: has no effect without --kl_threshold"),
        ("--kl_threshold 0 --final_kl_threshold .001", "--final_kl_threshold: has no effect without --kl_threshold"),
        ("--final_kl_updates 100 200", "--final_kl_updates: has no effect without --final_kl_threshold"),
        ("--checkpoint none", "none: there is no such checkpoint; give a file written by training"),
        (
            "--checkpoint g1_locomotion",
            "g1_locomotion: holds a policy alone, without discriminator and optimizers, and no",
        ),
        ("--checkpoint policies/g1_walk", "a training run that has written a whole checkpoint"),
        (
            "--recipe published --checkpoint .",
            "a run that goes on keeps its own settings; leave --recipe out, or",
        ),
    ],
)
def test_one_sentence(options, sentence):
    if "--checkpoint" in options:
        pytest.importorskip("torch", reason="torch is not installed; pip install -e '.[sim]'")
    with pytest.raises(InputError) as refused:
        parse(options.split())
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


def test_what_an_answer_says_to_write_works():
    given = "--entropy 0.01 --num_envs 64 --physics newton_mjwarp --device cuda:0 --run_dir runs/walk"
    cfg = parse(given.split())
    assert (cfg.agent.entropy, cfg.num_envs, cfg.physics, cfg.device) == (0.01, 64, "newton_mjwarp", "cuda:0")


def test_what_an_option_needs_is_given_too():
    for words in ("--condition_on_command --no_match_commands", "--robot r.xml --feet foot", "--recipe locomotion"):
        parse(words.split())
    annealed = parse(["--recipe", "published", "--final_std", ".1", "--final_std_updates", "90"])
    assert annealed.agent.final_std_updates == 90
    settled = parse(["--final_kl_threshold", ".001", "--final_kl_updates", "300", "450"])
    assert settled.agent.final_kl_updates == (300, 450)


def test_dashes_and_underscores_are_the_same():
    assert parse(["--num-envs", "4"]) == parse(["--num_envs", "4"])


@pytest.mark.slow
def test_an_unknown_option_is_one_line_in_a_terminal():
    command = [sys.executable, "-m", "amp_helpers.train", "--headless", "env.a.b=3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: env.a.b=3: settings are options here")


def test_help_is_plain_text(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    text = capsys.readouterr().out
    assert "--velocity_range" in text and ":class:" not in text and "``" not in text

"""Answers to options that train and evaluate do not have, first of all those of Isaac Lab's own scripts."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

_WINDOWS = ("livestream", "enable_cameras", "viz", "visualizer", "rendering_mode", "xr")
_WINDOW = "training never opens a window or renders; leave it out"
TRAINING = {
    "video": "training renders nothing; leave it out, and record the policy afterwards with "
    "'python -m amp_helpers.evaluate --checkpoint RUN --output DIR --video'",
    "load_run": "name the folder of the run with --checkpoint",
    "load_checkpoint": "name the file, or the folder of its run, with --checkpoint",
    "experiment_name": "name the folder of the run with --run_dir",
    "run_name": "name the folder of the run with --run_dir",
    "save_interval": "give the updates between two checkpoints with --checkpoint_interval",
    "algorithm": "training is AMP; leave it out",
    "ml_framework": "training uses torch; leave it out",
    "agent": "the agent's settings are options of this command; leave it out, --help lists them",
    "rl_library": "training uses this project's agent on skrl; leave it out",
} | dict.fromkeys(_WINDOWS, _WINDOW)
TRAINING |= dict.fromkeys(("video_length", "video_interval"), TRAINING["video"])
"""Option of Isaac Lab's train.py -> what it is here."""
EVALUATION = {
    "distributed": "evaluation runs on one GPU; leave it out, and choose the GPU with --device cuda:0",
    "resume": "evaluation starts anew every time; leave it out, and name the run with --checkpoint",
    "speed": "give the commanded forward speed, m/s, with --velocity",
    "max_iterations": "evaluation learns nothing; leave it out, and give the measured time with --seconds",
    "video_length": "a video lasts as long as the measured time; give --video and --seconds",
    "real_time": "evaluation is not shown while it runs; leave it out, and look at the --video",
    "algorithm": "a policy is of the algorithm that trained it; leave it out",
    "ml_framework": "policies use torch; leave it out",
    "agent": "the run's config.json holds the agent's settings; leave it out",
}
EVALUATION |= dict.fromkeys(
    ("load_run", "load_checkpoint", "use_last_checkpoint", "use_pretrained_checkpoint"),
    "name the file, or the folder of its run, with --checkpoint",
)
EVALUATION |= dict.fromkeys(_WINDOWS, "evaluation never opens a window; leave it out, and look at the --video")
"""Option of Isaac Lab's play.py and train.py, or a usual guess -> what it is in evaluation."""
_HYDRA = re.compile(r"[+~]{0,2}(?P<path>[A-Za-z_][\w.]*)=(?P<value>.*)", re.DOTALL)


def answer(unknown: Sequence[str], options: Collection[str], answers: Mapping[str, str] = TRAINING) -> str:
    """Return one sentence about words of a command line that are no options.

    Args:
        unknown: the words, values among them.
        options: names of the options that there are, without dashes.
        answers: option of Isaac Lab's scripts -> what it is in the command.
    """
    named = f"Unrecognized options: {', '.join(unknown)}"
    for word in unknown:
        if word.startswith("-"):
            name = word.lstrip("-").split("=")[0].replace("-", "_")
            if name in answers:
                return f"--{name}: {answers[name]}"
            if close := difflib.get_close_matches(name, options, n=1, cutoff=0.75):
                return f"{named}; --{close[0]} exists, --help lists the options"
        elif setting := _HYDRA.fullmatch(word):
            return f"{word}: {_hydra(setting['path'], setting['value'], options)}"
    return f"{named}; --help lists the options"


def _hydra(path: str, value: str, options: Collection[str]) -> str:
    """Return the option that sets the same as a Hydra override, or how to set it without one."""
    name = path.rpartition(".")[2]
    if name in options:
        flags = {"true": f"--{name}", "false": f"--no_{name}"}
        option = flags.get(value.lower()) or f"--{name} {' '.join(value.strip('[]()').replace(',', ' ').split())}"
        return f"settings are options here, not Hydra overrides; write {option}"
    return (
        "settings are options here, not Hydra overrides (--help lists them); to change the task, register your own "
        "configuration and name it with --task package.module:ID"
    )

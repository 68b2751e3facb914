"""A study: trainings that differ in some settings, each with several seeds, described by a TOML file.

``python -m amp_helpers.study FILE.toml`` makes them. The file holds options of the commands by their names::

    question = "What does the style reward add?"     # heading of the figures
    seeds = [0, 1, 2]                                 # default: 0

    [train]                                           # options of every training
    num_envs = 4096

    [evaluate]                                        # options of every evaluation
    velocity = 0.75
    num_envs = 1024

    [groups."no style reward"]                        # a table for each group: options that it adds to [train]
    style_weight = 0.0
    reference_share = 0.0

    [groups.ours]

In place of ``groups``, ``[grid]`` gives values of options, such as ``style_weight = [5.0, 20.0]``; each combination is
a group. An option of ``[train]`` has to have an effect in one group at least; a note names the groups that ignore it. A
group may name a ``program`` other than ``python -m amp_helpers.train``; which file that is, only the command line says.
"""

import hashlib
import itertools
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amp_helpers.errors import InputError, brief_repr, one_line
from amp_helpers.training import command
from amp_helpers.training.cfg import MAX_SEED, TrainCfg
from amp_helpers.training.comparisons import Comparison
from amp_helpers.utils.command_line import option_words, without_options
from amp_helpers.utils.json_data import fits

_TABLES = ("question", "seeds", "train", "evaluate", "groups", "grid")
_TRAIN = ("run_dir", "seed", "checkpoint", "resume", "device", "distributed", "help")
_Value = bool | int | float | str
_EVALUATE = ("checkpoint", "output", "device", "grid", "grid_forward", "grid_turn", "steps", "video", "help")
"""Options that the study sets itself, or that a table of one command's metrics has no place for."""
_OPTION = re.compile("[a-z][a-z0-9_]*")
"""Name of an option. The commands take others too, such as num-envs, under which one could be given twice."""
_MOST_TRAININGS = 10_000
_LONGEST_NAME = 100
"""Characters in the name of a run's folder; file systems allow 255 bytes."""


@dataclass(frozen=True)
class StudyRun:
    """A training of a study."""

    name: str
    """Of its folder; no two runs of a study share it."""
    group: str
    seed: int
    train: tuple[str, ...]
    """Options of its training, without folder, device and checkpoint."""
    program: str | None = None
    """Name of the program that trains; ``None`` for ``python -m amp_helpers.train``."""
    common: frozenset[str] = frozenset()
    """Names of the options that come from ``[train]``."""


@dataclass(frozen=True)
class Study:
    """Trainings to compare, and how each is measured."""

    comparison: Comparison
    runs: tuple[StudyRun, ...]
    """The first seed of every group comes first."""
    evaluate: tuple[str, ...]
    """Options of each evaluation, without checkpoint, output and device."""


def read_study(path: str | Path) -> Study:
    """Read a study's file.

    Raises:
        InputError: it is no such file, or holds what is no part of a study; the options themselves are not checked.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin a file with a mark
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; give a study's TOML file") from error
    except (ValueError, RecursionError) as error:  # also of a number of thousands of digits
        raise InputError(f"{path}: is no TOML ({one_line(str(error), 80)}); correct it") from error
    if unknown := [name for name in content if name not in _TABLES]:
        raise InputError(f"{path}: '{unknown[0]}' is no part of a study; available: {', '.join(_TABLES)}")
    common = _table(path, content, "train", _TRAIN)
    evaluate = _table(path, content, "evaluate", _EVALUATE)
    groups = _groups(path, content)
    seeds = content.get("seeds", [0])
    if not fits(seeds, list[int]) or not seeds or not all(0 <= seed <= MAX_SEED for seed in seeds):
        raise InputError(f"{path}: seeds is {brief_repr(seeds)}; give a list of numbers from 0 to {MAX_SEED}")
    question = content.get("question", path.stem)
    if not isinstance(question, str):
        raise InputError(f"{path}: question is {brief_repr(question)}; write it in quotation marks")
    if len(groups) * len(set(seeds)) > _MOST_TRAININGS:
        raise InputError(f"{path}: asks for {len(groups) * len(set(seeds))} trainings; give fewer values or seeds")
    names = _folder_names(groups, distinct="grid" in content)
    if len(set(names.values())) < len(names):
        raise InputError(f"{path}: two groups have the same letters in their names; give each a name of its own")
    runs = [
        StudyRun(
            f"{names[label]}-{seed}",
            names[label],
            seed,
            tuple(option_words(common | settings)),
            program,
            frozenset(common) - set(settings),
        )
        for seed in dict.fromkeys(seeds)
        for label, (settings, program) in groups.items()
    ]
    comparison = Comparison(path.stem, question, {name: label or name for label, name in names.items()})
    # evaluate's switches are off unless given, and have no names for off.
    measuring = option_words({name: value for name, value in evaluate.items() if value is not False})
    return Study(comparison, tuple(runs), tuple(measuring))


def _folder_names(labels: Iterable[str], distinct: bool) -> dict[str, str]:
    """Label -> name of its runs' folders, of letters, digits, ``_`` and ``-``.

    Args:
        labels: of the groups.
        distinct: have labels that differ in other characters alone differ in their names.
    """
    names = {label: re.sub(r"\W+", "-", label).strip("-") or "group" for label in labels}
    shared = Counter(names.values())

    def unique(label: str, name: str) -> str:
        if len(name.encode()) <= _LONGEST_NAME and not (distinct and shared[name] > 1):
            return name
        short = name.encode()[: _LONGEST_NAME - 9].decode(errors="ignore")
        return f"{short}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"

    return {label: unique(label, name) for label, name in names.items()}


def parse_groups(study: Study) -> tuple[Study, dict[str, TrainCfg], list[str]]:
    """Parse the options of each group, and leave out those of ``[train]`` that have an effect in other groups alone.

    Returns:
        The study without those options; label -> settings of each group that trains without a program of its own; and
        a sentence for each group and option that is left out.

    Raises:
        InputError: as :func:`.command.parse`.
    """
    words = {run.group: run.train for run in study.runs if run.program is None}
    common = {run.group: run.common for run in study.runs}
    settings, idle = {}, {}
    for group, given in words.items():
        with of_group(study.comparison.groups[group]):
            settings[group], idle[group] = command.read(given)
    used = {name for group, names in common.items() for name in names - set(map(_name, idle.get(group, ())))}
    ignored: dict[str, list[str]] = {}
    notes = []
    for group, needs in idle.items():
        ignored[group] = [flag for flag in needs if _name(flag) in common[group] & used]
        label = study.comparison.groups[group]
        with of_group(label):
            command.check_used({flag: need for flag, need in needs.items() if flag not in ignored[group]})
        notes += [
            f"group '{label}' ignores {_name(flag)}, which has no effect without {needs[flag]}"
            for flag in ignored[group]
        ]
    runs = [replace(run, train=tuple(without_options(run.train, ignored.get(run.group, ())))) for run in study.runs]
    labels = study.comparison.groups
    return replace(study, runs=tuple(runs)), {labels[group]: cfg for group, cfg in settings.items()}, notes


@contextmanager
def of_group(label: str) -> Iterator[None]:
    """Name a group in the error about its options."""
    try:
        yield
    except InputError as error:
        raise InputError(f"group '{label}': {error}") from error


def _name(flag: str) -> str:
    """The option behind ``match_commands`` and ``no_match_commands``."""
    return flag.removeprefix("no_")


def _table(path: Path, content: Mapping[str, Any], name: str, taken: Sequence[str]) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: {name} is no table; write its options below a line [{name}]")
    for option, value in table.items():
        if option in taken:
            raise InputError(
                f"{path}: {name} holds {option}, which the study sets itself or cannot compare; leave it out"
            )
        if not _OPTION.fullmatch(option):
            raise InputError(f"{path}: {name} holds '{option}'; write an option with small letters and _, without --")
        if not fits(value, _Value | list[_Value]):
            raise InputError(f"{path}: {option} is {brief_repr(value)}; give a number, a text or a list of them")
        if any(
            isinstance(text, str) and text.startswith("-") for text in (value if isinstance(value, list) else [value])
        ):
            raise InputError(f"{path}: {option} is {brief_repr(value)}, which reads as an option; begin no text with -")
    return table


def _groups(path: Path, content: Mapping[str, Any]) -> dict[str, tuple[dict[str, Any], str | None]]:
    """Label -> its options and the name of its program."""
    if ("groups" in content) == ("grid" in content):
        raise InputError(
            f"{path}: has {'both groups and a' if 'grid' in content else 'neither groups nor a'} grid; give one"
        )
    if "grid" in content:
        grid = _table(path, content, "grid", _TRAIN)
        if plain := [name for name, values in grid.items() if not isinstance(values, list) or not values]:
            raise InputError(f"{path}: {plain[0]} of the grid is no list; give its values as a list")
        if not grid:
            raise InputError(f"{path}: the grid holds no option; give one or more, each with a list of values")
        if (count := math.prod(map(len, grid.values()))) > _MOST_TRAININGS:
            raise InputError(f"{path}: asks for {count} trainings; give fewer values or seeds")
        combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        return {", ".join(f"{name} {value}" for name, value in each.items()): (each, None) for each in combinations}
    if not isinstance(content["groups"], dict) or not content["groups"]:
        raise InputError(f"{path}: groups is no table; write a line [groups.NAME] for each")
    found = {}
    for label in content["groups"]:
        settings = dict(_table(path, content["groups"], label, _TRAIN))
        program = settings.pop("program", None)
        if program is not None and not (isinstance(program, str) and program):
            raise InputError(f"{path}: program of {label} is {brief_repr(program)}; give its name in quotation marks")
        found[label] = (settings, program)
    return found

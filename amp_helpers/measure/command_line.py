"""Command lines of what measures a policy: a :class:`MeasuringSetup` with options of their own."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from amp_helpers.errors import InputError
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.training.foreign_options import EVALUATION, answer
from amp_helpers.utils.command_line import check_values
from amp_helpers.utils.tyro_options import one_line_errors, tyro_settings


@dataclass(frozen=True, kw_only=True)
class MeasuringOptions(MeasuringSetup):
    """The setup as words of a command line give it.

    The help takes the texts of :class:`MeasuringSetup`, those below, and what a command's class says in its docstring.
    """

    checkpoint: Path
    """Run folder, checkpoint file, name of a shipped policy, such as g1_walk, or with mujoco a bundle of export's."""
    device: str | None = None
    """cpu or cuda:0; by default the first GPU, or the CPU where there is none. MuJoCo runs on the CPU."""
    dataset: Path | None = None
    robot: str | None = None
    feet: tuple[str, ...] = ()


def parse_measuring[Options: MeasuringOptions](
    kind: type[Options],
    command: str,
    description: str,
    lists: Iterable[str],
    arguments: Sequence[str] | None = None,
) -> Options:
    """Read a command line.

    Args:
        kind: its options.
        command: the module that is run.
        description: a sentence for ``--help``.
        lists: options that take one value or more.
        arguments: words in place of the program's own.

    Raises:
        InputError: an option is unknown, or its value is not of its type.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with one_line_errors():
        cfg, unknown = tyro.cli(kind, args=words, return_unknown_args=True, **tyro_settings(command, description))
    if unknown:
        raise InputError(answer(unknown, vars(cfg), EVALUATION))
    check_values(words, vars(cfg), lists)
    return cfg

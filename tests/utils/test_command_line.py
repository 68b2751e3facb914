"""Mistakes on a command line that tyro parses, as one sentence."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import tyro

from amp_helpers.errors import InputError
from amp_helpers.utils.command_line import OneLineParser, one_line_errors


@dataclass(frozen=True, kw_only=True)
class Options:
    output: Path
    """Folder for the results, which is created if it does not exist; long enough a text to be wrapped in the box."""
    seconds: float
    """Measured time, s."""
    video: bool = False
    speeds: tuple[float, float] | None = None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "Missing options: --output, --seconds"),
        ("--output x", "Missing options: --seconds"),
        ("--output x --seconds y", "Error parsing --seconds: could not convert string to float: 'y'"),
        ("--output x --seconds 1 --speeds 2", "Error parsing --speeds: expects FLOAT FLOAT, not '2'"),
        ("--output x --seconds 1 --speeds a b", "Error parsing --speeds: expects FLOAT FLOAT, not 'a', 'b'"),
        ("--output x --seconds 1 --secs 3", "Unrecognized options: --secs, 3"),
        ("--output x --seconds", "Missing value for argument '--seconds'. Expected 1 values"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_wrong_option_is_one_sentence(arguments, sentence, encoding, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    with pytest.raises(InputError, match=f"{sentence}; --help lists the options$") as error, one_line_errors():
        tyro.cli(Options, args=arguments.split(), config=(tyro.conf.FlagCreatePairsOff,))
    assert "\n" not in str(error.value)


def test_help_is_printed_as_usual(capsys):
    with pytest.raises(SystemExit) as stopped, one_line_errors():
        tyro.cli(Options, args=["--help"])
    assert not stopped.value.code and "Measured time, s." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "the following arguments are required: --fps"),
        ("--fps x", "argument --fps: invalid float value: 'x'"),
        ("--fps 1 --order z", r"argument --order: invalid choice: 'z' \(choose from .*\)"),
        ("--fps 1 --pfs 2", "unrecognized arguments: --pfs 2"),
    ],
)
def test_argparse_prints_no_usage(arguments, sentence, capsys):
    parser = OneLineParser()
    parser.add_argument("--fps", type=float, required=True)
    parser.add_argument("--order", choices=("a", "b"))
    with pytest.raises(InputError, match=f"^{sentence}; --help lists the options$"):
        parser.parse_args(arguments.split())
    assert capsys.readouterr() == ("", "")

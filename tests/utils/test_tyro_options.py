"""Mistakes on a command line that tyro parses, as one sentence."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from amp_helpers.errors import InputError
from amp_helpers.utils.tyro_options import parse_options


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
    monkeypatch.setattr(sys, "argv", ["program", *arguments.split()])
    with pytest.raises(InputError, match=f"{sentence}; --help lists the options$") as error:
        parse_options(Options, "program", "Do something.")
    assert "\n" not in str(error.value)


def test_help_is_printed_as_usual(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["program", "--help"])
    with pytest.raises(SystemExit) as stopped:
        parse_options(Options, "program", "Do something.")
    printed = capsys.readouterr().out
    assert not stopped.value.code and "Do something." in printed and "Measured time, s." in printed

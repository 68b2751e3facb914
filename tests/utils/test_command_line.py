"""Mistakes on a command line that argparse parses, as one sentence."""

import pytest

from amp_helpers.errors import InputError
from amp_helpers.utils.command_line import OneLineParser


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

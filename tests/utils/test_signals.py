"""Signals are noted within a block, and as before outside it."""

import os
import signal
import threading

import pytest

from amp_helpers.errors import run_cli
from amp_helpers.utils.signals import ENDING, noted_signals


@pytest.fixture(autouse=True)
def as_in_a_terminal():
    """Undo what nohup, or a shell that starts this suite in the background, made Python ignore."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ENDING)
def test_the_first_is_noted_and_the_second_interrupts(name):
    number, before = signal.Signals[name], signal.getsignal(signal.Signals[name])
    with noted_signals() as noted:
        assert noted() == ""
        os.kill(os.getpid(), number)
        assert noted() == name
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(number) is before


def test_a_second_one_may_be_the_first_again_from_a_launcher():
    with noted_signals(insist=False) as noted:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert noted() == "SIGTERM"


def test_an_ignored_signal_stays_ignored(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with noted_signals() as noted:
            os.kill(os.getpid(), signal.SIGHUP)
            assert noted() == ""
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_changes_nothing():
    seen = []

    def work() -> None:
        with noted_signals() as noted:
            seen.append(noted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [""]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_command_ends_like_by_ctrl_c_and_leaves_no_temporary_file(capsys, name):
    assert run_cli(lambda: os.kill(os.getpid(), signal.Signals[name])) == 2
    assert capsys.readouterr().err == "error: interrupted; files written before are kept\n"

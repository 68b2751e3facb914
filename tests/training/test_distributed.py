"""Training in processes that torchrun started."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.ranks import process_ended
from amp_helpers.errors import InputError
from amp_helpers.training import distributed
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.command import parse
from amp_helpers.training.distributed import Launch, check_agreement, joined
from amp_helpers.training.run_folder import read_run

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

OPTIONS = ["--distributed", "--device", "cpu", "--num_envs", "4", "--seed", "3", "--rollouts", "8"]


def launched(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Launch:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Launch.take()


def test_a_process_that_no_launcher_started_is_alone(monkeypatch):
    for variables in ({}, {"WORLD_SIZE": ""}, {"WORLD_SIZE": "1"}, {"RANK": "3", "LOCAL_RANK": "3"}):
        launch = launched(monkeypatch, **variables)
        assert launch == Launch() and launch.first
        launch.check(wanted=False)
        assert launch.device("cuda:0") == "cuda:0"


def test_a_launch_is_read_once_and_skrl_does_not_see_it(monkeypatch):
    launch = launched(
        monkeypatch, RANK="5", LOCAL_RANK="1", WORLD_SIZE="8", MASTER_ADDR="localhost", MASTER_PORT="1234"
    )
    assert launch == Launch(rank=5, local_rank=1, size=8) and not launch.first
    assert "WORLD_SIZE" not in os.environ
    launch.check(wanted=True)
    assert launch.device("cpu") == "cpu"


def test_a_launch_that_does_not_fit_is_one_sentence(monkeypatch):
    two = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1234"}
    with pytest.raises(InputError, match=r"2 processes were started .* add --distributed"):
        launched(monkeypatch, **two).check(wanted=False)
    launched(monkeypatch, **two).check(wanted=True)
    with pytest.raises(InputError, match=r"no launcher started this process; use 'torchrun .* or leave it out"):
        launched(monkeypatch).check(wanted=True)
    with pytest.raises(InputError, match=r"no numbers \(RANK=0, LOCAL_RANK=0, WORLD_SIZE=two\); start training with"):
        launched(monkeypatch, **two | {"WORLD_SIZE": "two"})
    for rank in ("2", "-1"):
        with pytest.raises(InputError, match=rf"process {rank} of 2 .*, and the first is 0; start training with"):
            launched(monkeypatch, **two | {"RANK": rank})
    with pytest.raises(InputError, match="no launcher started this process"):
        launched(monkeypatch, RANK="0", WORLD_SIZE="2", MASTER_ADDR="localhost").check(wanted=True)
    with pytest.raises(InputError, match=r"--device cuda:0: names one GPU for 2 processes; leave it out, or give cuda"):
        Launch(size=2).device("cuda:0")


def test_processes_that_cannot_meet_say_why(monkeypatch):
    def meet(port: object) -> None:
        monkeypatch.setenv("MASTER_PORT", str(port))
        with joined(Launch(size=2), "cpu"):
            raise AssertionError("there is no other process")

    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            InputError, match=rf":{port} .*, where another program listens; give another MASTER_PORT, as"
        ):
            meet(port)
    with pytest.raises(InputError, match=r"did not meet at 127\.0\.0\.1:abc .*'abc'; start all of them, with torchrun"):
        meet("abc")


@pytest.mark.parametrize("address", ["no-such-machine.invalid", "two..dots"])
def test_an_address_that_no_machine_has_is_told_at_once(monkeypatch, address):
    """torch tries again for half an hour."""
    monkeypatch.setattr(distributed, "REACH_S", 0.0)

    def meet(address: str, port: str) -> None:
        monkeypatch.setenv("MASTER_ADDR", address)
        monkeypatch.setenv("MASTER_PORT", port)
        with joined(Launch(rank=1, size=2), "cpu"):
            raise AssertionError("there is no other process")

    told = rf"cannot meet at {re.escape(address)}:1234 \(MASTER_ADDR, .*known here \(.*\); give the first machine's IP"
    with pytest.raises(InputError, match=told):
        meet(address, "1234")
    for known in ("localhost", "127.0.0.1", "::1"):
        with pytest.raises(InputError, match=f"did not meet at {known}:abc "):
            meet(known, "abc")


def test_an_address_at_which_nobody_listens_is_told(monkeypatch):
    """torch tries again for half an hour, except in process 0, which listens itself where torchrun does not."""
    monkeypatch.setattr(distributed, "REACH_S", 0.0)
    monkeypatch.setattr("torch.distributed.init_process_group", fail := Mock(side_effect=ValueError("tried")))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", str(port))

        def meet(rank: int, told: str) -> None:
            with pytest.raises(InputError, match=told), joined(Launch(rank=rank, size=2), "cpu"):
                raise AssertionError("there is no other process")

        meet(1, "did not meet at .* tried; start all of them")
    nobody = rf"cannot meet at 127\.0\.0\.1:{port} .* where nobody listens \(.*\); start process 0 on the first"
    assert fail.call_count == 1
    meet(1, nobody)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    meet(0, nobody)
    assert fail.call_count == 1, "torch was not asked"
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
    meet(0, "did not meet at .* tried; start all of them")


def test_process_0_with_an_address_that_is_not_its_own_is_told(monkeypatch):
    """torch listens in process 0, and would then try to reach it there for half an hour."""
    monkeypatch.setattr(distributed, "REACH_S", 0.0)
    monkeypatch.setattr("torch.distributed.init_process_group", met := Mock())
    monkeypatch.setattr("torch.distributed.destroy_process_group", Mock())
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MASTER_PORT", str(port))
    monkeypatch.setenv("MASTER_ADDR", "255.255.255.255")  # to which TCP never connects
    told = (
        rf"cannot meet at 255\.255\.255\.255:{port} .* where process 0 does not reach itself \(.*\); give all of them"
    )
    with pytest.raises(InputError, match=told), joined(Launch(size=2), "cpu"):
        raise AssertionError("there is no other process")
    assert not met.called, "torch was not asked"
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with joined(Launch(size=2), "cpu"):
        assert met.called


MEETING = """
from amp_helpers.training.distributed import Launch, joined

with joined(Launch.take(), "cpu") as ranks:
    print(ranks.texts(str(ranks.rank)))
"""


@pytest.mark.slow
def test_processes_that_are_started_by_hand_meet():
    with socket.create_server(("", 0)) as free:
        names = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    line = [sys.executable, "-c", MEETING]
    processes = [
        subprocess.Popen(line, env=os.environ | names | {"RANK": rank}, stdout=subprocess.PIPE, text=True)
        for rank in "10"
    ]
    assert [process.communicate(timeout=100)[0] for process in processes] == ["['0', '1']\n"] * 2


def test_an_address_has_a_moment_to_become_known(monkeypatch):
    asked: list[str] = []

    def slow(address: str, _: object) -> None:
        asked.append(address)
        if len(asked) < 3:
            raise socket.gaierror(socket.EAI_AGAIN, "not yet")

    monkeypatch.setattr("socket.getaddrinfo", slow)
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert distributed._lasting_fault(lambda: socket.getaddrinfo("node-0", None)) is None and asked == ["node-0"] * 3


def test_processes_with_other_settings_are_told_which(repo_root):
    """They would train on, with the mean of gradients of two tasks."""

    def check(cfg: TrainCfg) -> str:
        """Check against the first process, and return what this one said."""
        said: list[str] = []

        def texts(text: str) -> list[str]:
            said.append(text)
            return [*first, text]

        check_agreement(cfg, SimpleNamespace(size=2, texts=texts))  # type: ignore[arg-type]
        return said[0]

    walk, first = TrainCfg(dataset=repo_root / "datasets" / "g1_walk_refined.npz", num_envs=8), []
    first = [check(walk)]
    assert len(first[0].encode()) < 2000, "a text that processes share has 4096 bytes"
    check(replace(walk, device="cuda:1", run_dir=repo_root / "mine", distributed=True))
    for changes, names in (
        ({"dataset": repo_root / "datasets" / "g1_walk.npz"}, "--dataset"),
        ({"num_envs": 16, "agent": AmpAgentCfg(rollouts=9)}, "--num_envs, --rollouts"),
        ({"checkpoint": repo_root / "agent_last.pt"}, "--checkpoint"),
    ):
        sentence = f"process 1 has another {names} than process 0; start all with the same options"
        with pytest.raises(InputError, match=sentence):
            check(replace(walk, **changes))


FAILING = """
from contextlib import suppress
import torch
from amp_helpers.errors import InputError
from amp_helpers.training.distributed import Launch, joined

with suppress(InputError), joined(Launch.take(), "cpu") as ranks:
    ranks.all(True)
    raise InputError("a mistake")
print(torch.distributed.is_initialized())
"""


@pytest.mark.slow
def test_a_process_with_a_mistake_leaves_the_others_before_it_ends():
    """Otherwise Gloo's threads now and then abort it, and its exit code is not 2."""
    with socket.create_server(("", 0)) as free:
        port = str(free.getsockname()[1])
    names = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    line = [sys.executable, "-c", FAILING]
    processes = [
        subprocess.Popen(line, env=os.environ | names | {"RANK": rank}, stdout=subprocess.PIPE, text=True)
        for rank in "01"
    ]
    assert [process.communicate(timeout=100)[0] for process in processes] == ["False\n", "False\n"]


WAITING = """
import ctypes, os, signal, threading
from amp_helpers.training import distributed

distributed.GRACE_S = 0.3
library, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
with distributed.ending_in_time(distributed.Launch(rank=1, size=2)):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    for _ in range(2):
        library.pthread_mutex_lock(lock)  # the second time it waits forever, and no Python handler runs
"""


@pytest.mark.slow
def test_a_process_that_waits_for_one_that_is_gone_ends_with_a_sentence():
    handled = "import signal; signal.signal(signal.SIGTERM, lambda *_: None)\n"
    ended = subprocess.run([sys.executable, "-c", handled + WAITING], capture_output=True, text=True, timeout=100)
    assert ended.returncode == 2
    assert ended.stderr == f"error: process 1: {process_ended()}\n"


def test_a_checkpoint_of_one_gpu_goes_on_with_a_gpu_for_each_process(small_run, monkeypatch, tmp_path):
    folder = shutil.copytree(small_run.folder, tmp_path / "run")
    config = json.loads((folder / "config.json").read_text()) | {"device": "cuda:0"}
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("amp_helpers.utils.devices.check_device", lambda device: device)
    assert parse(["--checkpoint", str(folder)]).device == "cuda:0"
    assert parse(["--checkpoint", str(folder), "--distributed"]).device == "cuda"
    assert parse(["--checkpoint", str(folder), "--distributed", "--device", "cpu"]).device == "cpu"


def torchrun(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--monitor_interval", "0.2"]
    return subprocess.Popen(
        [*command, "-m", "amp_helpers.train", *OPTIONS, *options],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_updates(run: Path, process: subprocess.Popen[str], count: int) -> None:
    for _ in range(600):
        if run.exists() and len(read_run(run).updates) >= count:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.2)
    raise AssertionError(f"{count} updates were not made in two minutes")


def test_torchrun_ends_with_the_sentence_of_the_process_that_failed():
    output, _ = (process := torchrun("--num_env", "4")).communicate(timeout=120)
    assert process.returncode == 1
    sentence = "Unrecognized options: --num_env, 4; --num_envs exists, --help lists the options"
    assert re.search(rf"^error: process [01]: {sentence}$", output, re.MULTILINE)
    cause = output[output.index("Root Cause (first observed failure):") :]
    assert re.search(rf"^  traceback : error: process [01]: {sentence}\n=+$", cause, re.MULTILINE), output


@pytest.mark.slow
def test_two_processes_train_one_policy_and_end_together(tmp_path):
    run = tmp_path / "run"
    process = torchrun("--max_iterations", "2", "--run_dir", str(run))
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert output.count("run: ") == 1  # the first process prints
    assert "note: 2 processes with 4 environments each, 8 in all" in output
    config = json.loads((run / "config.json").read_text())
    assert config["processes"] == 2 and config["updates"] == 2 and "distributed" not in config
    assert [update.health.update for update in read_run(run).updates] == [1, 2]
    assert {file.name for file in (run / "checkpoints").iterdir()} == {"agent_last.pt", "rank1_update2.pt"}

    def go_on_until(number: int, updates: int) -> str:
        """Go on until this signal ends the second process after so many updates; return what was printed."""
        nonlocal process
        process = torchrun("--max_iterations", "1000", "--checkpoint", str(run), "--run_dir", str(run))
        wait_for_updates(run, process, updates)
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
        os.kill(int(children.stdout.split()[-1]), number)
        return process.communicate(timeout=120)[0]

    # The second one is told to stop: both do, and the first says so.
    output = go_on_until(signal.SIGTERM, 3)
    kept = len(read_run(run).updates)
    assert process.returncode == 0, output
    assert f"interrupted after {kept} updates; they are kept in {run / 'checkpoints' / 'agent_last.pt'}\n" in output

    # One process is killed: the other says so, and the checkpoint stays.
    output = go_on_until(signal.SIGKILL, kept + 1)
    assert process.returncode != 0
    assert "going on from" in output and "it lacks a part of some processes" not in output
    assert "process 0: another process of this run has ended; go on with --checkpoint and the run's folder" in output
    assert (run / "checkpoints" / "agent_last.pt").exists()

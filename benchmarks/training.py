"""How fast the environment steps alone and in training: ``python benchmarks/training.py [--num_envs N] [--device D]``.

Both are measured in one run on one machine, so that their ratio means something when the machine is noisy.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import torch
from convert import cpu_name

from amp_helpers.env import check_device, make_env
from amp_helpers.train import TrainCfg, train


def environment_alone(num_envs: int, device: str, steps: int) -> float:
    """Environment steps a second under small random actions."""
    with make_env(num_envs=num_envs, device=device) as env:
        env.reset()
        actions = 0.1 * torch.randn(steps + 10, num_envs, 23, device=device)
        for i in range(steps + 10):
            if i == 10:  # the first steps still compile
                _wait(device)
                start = time.perf_counter()
            env.step(actions[i])
        _wait(device)
        return steps * num_envs / (time.perf_counter() - start)


def in_training(num_envs: int, device: str, updates: int) -> float:
    """Environment steps a second between the first update and the last, learning included."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        cfg = TrainCfg(num_envs=num_envs, device=device, max_iterations=updates, run_dir=Path(folder) / "run")
        train(cfg, on_update=lambda _: times.append(time.perf_counter()), progress=False)
    return (len(times) - 1) * cfg.rollouts * num_envs / (times[-1] - times[0])


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num_envs", type=int, default=16)
    parser.add_argument("--device")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--updates", type=int, default=12)
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    arguments = parser.parse_args()
    device = check_device(arguments.device)
    alone = environment_alone(arguments.num_envs, device, arguments.steps)
    training = in_training(arguments.num_envs, device, arguments.updates)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{cpu_name()}, {os.cpu_count()} cores"
    result = {
        "command": f"python benchmarks/training.py --num_envs {arguments.num_envs} --device {device}",
        "commit": commit.stdout.strip(),
        "hardware": name,
        "python": platform.python_version(),
        "num_envs": arguments.num_envs,
        "environment_alone_steps_per_s": round(alone),
        "training_steps_per_s": round(training),
        "training_over_environment": round(training / alone, 2),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()

"""Measure a policy over a range of commands: ``python benchmarks/command_range.py --checkpoint policies/g1_walk``.

One rollout at each commanded speed, all in one environment. Writes JSON::

    command, commit, hardware, policy, num_envs, seconds, seed
    speeds: [{command, forward_speed_mps, falls_per_env_10s, ...metrics}]
"""

import argparse
from pathlib import Path

from provenance import provenance

from amp_helpers.env import make_env, record_rollout, reference_motion, set_command
from amp_helpers.errors import run_cli
from amp_helpers.metrics import WARMUP_S, evaluate_rollout
from amp_helpers.training import find_policy, load_policy, write_json


def main() -> int:
    """Measure, and print a line for each speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True, type=Path)
    parser.add_argument("--speeds", nargs="+", type=float, default=[0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2], help="m/s")
    parser.add_argument("--num_envs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time per speed, s, after 3 s")
    parser.add_argument("--device", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", type=Path, help="reference (default: the dataset that the policy was trained on)")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    _, config = find_policy(args.checkpoint)
    rows = []
    with make_env(
        config["task"], num_envs=args.num_envs, device=args.device, seed=args.seed, play=True, velocity=args.speeds[0]
    ) as env:
        policy = load_policy(args.checkpoint, env)
        for speed in args.speeds:
            set_command(env, speed)
            reference = reference_motion(config, args.dataset, env, speed)
            rollout = record_rollout(env, policy, speed, WARMUP_S + args.seconds)
            keep = rollout.settled(WARMUP_S)
            row = {"command": speed, "forward_speed_mps": float(rollout.root_lin_vel[..., 0][keep].mean())}
            rows.append(row | evaluate_rollout(rollout, reference, WARMUP_S))
            shown = ("forward_speed_mps", "falls_per_env_10s", "gait_frequency_ratio", "pose_rmse_rad")
            print(f"{speed:4.2f} m/s: " + ", ".join(f"{name} {rows[-1][name]:.3f}" for name in shown), flush=True)
        origin = provenance(str(env.device))
    report = origin | {"policy": str(args.checkpoint), "num_envs": args.num_envs}
    write_json(args.output, report | {"seconds": args.seconds, "seed": args.seed, "speeds": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))

"""Figures of the files that benchmarks write."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from amp_helpers.errors import InputError
from amp_helpers.metrics.names import METRICS
from amp_helpers.plots.style import BLUE, GRAY, INK, SERIES, blank_figure, panel_grid, style_axes
from amp_helpers.utils.json_data import read_json

CONTENDERS = {
    "physics": "physics alone",
    "environment_idle": "environment, zero actions",
    "environment": "environment, random actions",
    "random_policy": "an untrained policy",
    "training": "this project's training",
    "environment_warp": "environment, recorded step",
    "training_warp": "training, recorded step",
    "rsl_rl_ppo": "PPO of rsl_rl",
    "skrl_matched": "skrl's AMP, our sizes",
    "skrl_documented": "skrl's AMP, as shipped",
}
"""Contender of ``benchmarks/throughput.py`` -> its name in the figure."""


@contextmanager
def _reading(file: str | Path, what: str, script: str) -> Iterator[None]:
    """Turn what is missing in a file, or is of another type, into an :class:`InputError` that names its benchmark."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: holds no {what} ({error}); benchmarks/{script} writes it") from error


def command_response(files: Mapping[str, str | Path]) -> Figure:
    """Draw measured speed and pose RMSE against the commanded speed, from files of ``benchmarks/command_range.py``.

    Args:
        files: label -> file.

    Raises:
        InputError: a file is missing or has another layout.
    """
    figure = blank_figure(9.0, 3.3)
    speed, poses = figure.subplots(1, 2)
    style_axes(speed, "measured speed, m/s", xlabel="commanded speed, m/s")
    style_axes(poses, METRICS["pose_rmse_rad"].label, xlabel="commanded speed, m/s")
    for (label, file), color in zip(files.items(), SERIES, strict=False):
        with _reading(file, "speeds", "command_range.py"):
            rows = read_json(Path(file), "measure again")["speeds"]
            commands = [row["command"] for row in rows]
            speed.plot(commands, [row["forward_speed_mps"] for row in rows], "o-", color=color, label=label)
            poses.plot(commands, [row["pose_rmse_rad"] for row in rows], "o-", color=color)
        speed.plot(commands, commands, ":", color=GRAY)
    poses.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def throughput(*files: str | Path) -> Figure:
    """Draw the results of ``benchmarks/throughput.py``: a panel per number of environments, a bar per contender.

    Args:
        files: results of the same contenders on the same hardware.

    Raises:
        InputError: a file is missing or has another layout.
    """
    contenders: list[str] = []
    measured: dict[int, list[float]] = {}
    for file in files:
        with _reading(file, "throughput", "throughput.py"):
            report = read_json(Path(file), "measure again")
            hardware, first = report["hardware"], report["counts"][0]["contenders"]
            contenders = contenders or list(first)
            for count in report["counts"]:
                measured[count["num_envs"]] = [count["contenders"][name]["env_steps_per_s"] for name in contenders]
    names, counts = [CONTENDERS.get(name, name) for name in contenders], dict(sorted(measured.items()))
    figure, panels = panel_grid(len(counts), 0.24 * len(names) + 0.7, sharey=True)
    figure.suptitle(f"How many environment steps a second? ({hardware})", x=0.01, ha="left", fontsize=12, color=INK)
    for axes, (num_envs, rates) in zip(panels, counts.items(), strict=True):
        style_axes(axes, f"{num_envs:,} environments", grid="x")
        axes.barh(names, rates, color=[BLUE if name == "training" else GRAY for name in contenders], height=0.66)
        for row, rate in enumerate(rates):
            axes.text(rate, row, f" {rate:,.0f}", va="center", fontsize=8, color=INK)
        axes.margins(x=0.2)
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(lambda rate, _: f"{rate / 1000:g}k")
    panels[0].invert_yaxis()
    return figure


def scaling_curves(file: str | Path) -> Figure:
    """Draw a result of ``benchmarks/scaling.py`` over environments of each process: steps per second, and efficiency.

    The efficiency is the speed of N processes over N times the speed of one.

    Args:
        file: the result.

    Raises:
        InputError: the file is missing or has another layout.
    """
    with _reading(file, "scaling", "scaling.py"):
        report = read_json(Path(file), "measure again")
        counts = sorted(report["counts"], key=lambda count: count["num_envs"])
        hardware, envs = report["hardware"], [count["num_envs"] for count in counts]
        sizes = [int(size) for size in counts[0]["processes"]]
        rates = {size: [count["processes"][str(size)]["env_steps_per_s"] for count in counts] for size in sizes}
        shares = {size: [count["speedup"][str(size)] / size for count in counts] for size in sizes if size > 1}
    figure = blank_figure(9.0, 3.6)
    figure.suptitle(f"Training on {hardware}", x=0.01, ha="left", fontsize=12, color=INK)
    speed, share = figure.subplots(1, 2)
    style_axes(speed, "environment steps per second", xlabel="environments of each process")
    style_axes(share, "efficiency", xlabel="environments of each process")
    for size, color in zip(sizes, SERIES, strict=False):
        speed.plot(envs, rates[size], "o-", color=color, label=f"{size} process{'es' if size > 1 else ''}")
        if size in shares:
            share.plot(envs, shares[size], "o-", color=color, label=f"{size} processes")
    share.axhline(1.0, color=GRAY, linestyle=":")
    share.set_ylim(0, 1.1)
    speed.set_ylim(0, None)
    speed.yaxis.set_major_formatter(lambda rate, _: f"{rate / 1000:g}k" if rate >= 1000 else f"{rate:g}")
    for axes in (speed, share):
        axes.set_xscale("log", base=2)
        axes.set_xticks(envs, [f"{count:,}" for count in envs])
        axes.legend(frameon=False, fontsize=9)
    return figure

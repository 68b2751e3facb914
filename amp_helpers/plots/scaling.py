"""Figures of training on several GPUs."""

from pathlib import Path

from matplotlib.figure import Figure

from amp_helpers.errors import InputError
from amp_helpers.plots.style import GRAY, INK, SERIES, blank_figure, style_axes
from amp_helpers.utils.json_data import read_json


def scaling_curves(file: str | Path) -> Figure:
    """Draw a result of ``benchmarks/scaling.py`` over environments of each process: steps per second, and efficiency.

    The efficiency is the speed of N processes over N times the speed of one.

    Args:
        file: the result.

    Raises:
        InputError: the file is missing or has another layout.
    """
    try:
        report = read_json(Path(file), "measure again")
        counts = sorted(report["counts"], key=lambda count: count["num_envs"])
        hardware, envs = report["hardware"], [count["num_envs"] for count in counts]
        sizes = [int(size) for size in counts[0]["processes"]]
        rates = {size: [count["processes"][str(size)]["env_steps_per_s"] for count in counts] for size in sizes}
        shares = {size: [count["speedup"][str(size)] / size for count in counts] for size in sizes if size > 1}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: holds no scaling ({error}); benchmarks/scaling.py writes it") from error
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

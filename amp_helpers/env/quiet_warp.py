"""Start Warp without output, before Isaac Lab and skrl start it."""

import os
from pathlib import Path

import warp


def start_warp_quietly() -> None:
    """Start Warp without its startup message, compile log and report of a missing GPU driver.

    ``import isaaclab`` and ``import skrl`` start Warp; only a call before them has an effect.
    """
    warp.config.log_level = warp.LOG_WARNING
    # The driver report comes from C, past Python's streams.
    with open(os.devnull, "w") as devnull:
        stderr = os.dup(2)
        os.dup2(devnull.fileno(), 2)
        try:
            warp.init()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def kernels_compiled(device: str, physics: str | None = None) -> bool:
    """Whether the physics' kernels were compiled before for this kind of device; else opening takes minutes.

    Args:
        device: ``cpu`` or ``cuda:N``.
        physics: physics preset of the run; ``None`` for Newton.
    """
    kinds = ("*.cubin", "*.ptx") if device.startswith("cuda") else ("*.o",)
    cache = Path(str(warp.config.kernel_cache_dir))
    package = "isaaclab_ov" if "physx" in (physics or "") else "mujoco_warp"
    return any(next(cache.glob(f"*{package}*/{kind}"), None) for kind in kinds)

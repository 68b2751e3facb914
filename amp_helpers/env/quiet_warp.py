"""Start Warp without output, before Isaac Lab and skrl start it."""

import os

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

"""Importing this starts Warp quietly: to be imported before Isaac Lab and skrl, which start it aloud."""

import os

import warp


def _start() -> None:
    # Its compile log would bury a notebook, and it reports a missing GPU driver from C, past Python's streams.
    warp.config.log_level = warp.LOG_WARNING
    with open(os.devnull, "w") as nowhere:
        stderr = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            warp.init()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


_start()

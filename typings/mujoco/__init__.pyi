# mujoco ships no types for its compiled modules, so every name of it is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...

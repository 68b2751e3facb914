"""Robots in mjlab's wheel: MJCF beside its meshes, fetched once, unchanged or with some joints made rigid."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from amp_helpers.robots.assets import Wheel, cached_folder

MJLAB = Wheel(
    project="mjlab",
    version="1.6.0",
    sha256="03d003854e2f44c48330c6dcf4c2253ff7641bb569747846825a21b9efa8540b",
    megabytes=14,
)
FORMAT_VERSION = 1
"""Version in the names of cached folders; raise it when their contents change, so that old ones are not used."""


def mjlab_folder(file: str, variants: Mapping[str, Sequence[str]]) -> Path:
    """Folder with a robot of mjlab, fetched and built on first use.

    Args:
        file: path of the robot's MJCF below mjlab's ``asset_zoo/robots``, such as ``unitree_go1/xmls/go1.xml``.
        variants: name -> joints. Each becomes ``NAME.xml``, in which all other joints are rigid; these files replace
            the robot's own. Without variants the folder holds the robot's own file.

    Raises:
        InputError: the wheel cannot be fetched or lacks the file, or a variant's joints are not those of the model.
    """
    name = f"{Path(file).parts[0]}-v{FORMAT_VERSION}"
    return cached_folder(name, functools.partial(_build, Path(file), dict(variants)))


def go1_mjcf() -> Path:
    """MJCF of Unitree's Go1 (four legs, 12 joints), as an example of a robot of your own."""
    return mjlab_folder("unitree_go1/xmls/go1.xml", {}) / "go1.xml"


def _build(file: Path, variants: dict[str, Sequence[str]], folder: Path) -> None:
    prefix = f"mjlab/asset_zoo/robots/{file.parent}/"

    def members(name: str) -> str | None:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
        return "LICENSE.mjlab" if name.endswith(".dist-info/licenses/LICENSE") else None

    MJLAB.extract(folder, members)
    if variants:
        from amp_helpers.robots.model_file import keep_joints  # late, for the reason given in robot.py

        source = folder / file.name
        texts = {name: keep_joints(source, name, joint_names) for name, joint_names in variants.items()}
        source.unlink()
        for name, text in texts.items():
            (folder / f"{name}.xml").write_text(text)

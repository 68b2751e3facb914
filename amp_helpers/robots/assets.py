"""Files that are fetched or built once and cached: pinned wheels, USD models, the ground plane."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amp_helpers.errors import InputError


def cache_dir() -> Path:
    """Folder of fetched and built files: ``$AMP_HELPERS_CACHE``, or ``~/.cache/amp_helpers``."""
    return Path(os.environ.get("AMP_HELPERS_CACHE") or Path.home() / ".cache" / "amp_helpers").absolute()


def cached_folder(name: str, build: Callable[[Path], None]) -> Path:
    """Folder ``cache_dir()/name``, built on first use.

    ``build`` fills a temporary folder, which gets its final name when it is complete: an interrupted build leaves
    nothing that looks finished. Of several processes, one builds and the others wait at a file lock.

    Args:
        name: name of the folder, with the version of its contents.
        build: called with an empty folder to fill; its errors pass through.

    Returns:
        Path of the complete folder.
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "unnamed"  # a robot's name may hold a path
    folder = cache_dir() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():  # another process may have built it meanwhile
            for stale in folder.parent.glob(
                f".{name}.building-*"
            ):  # left by a killed build, as nobody else holds the lock
                shutil.rmtree(stale)
            temporary = Path(tempfile.mkdtemp(prefix=f".{name}.building-", dir=folder.parent))
            try:
                build(temporary)
                temporary.chmod(0o755)  # mkdtemp makes private folders
                os.replace(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return folder


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel on the package index, pinned by its hash; its files are extracted without installing it.

    pip downloads it, because pip knows the machine's index, proxy and certificates.
    """

    project: str
    version: str
    sha256: str
    megabytes: int
    """Size of the download, printed before it starts."""
    pip_options: tuple[str, ...] = ()
    """Options such as ``--python-version``, for a wheel of another interpreter than the running one."""

    def extract(self, folder: Path, members: Callable[[str], str | None]) -> list[Path]:
        """Fetch the wheel and write chosen members below ``folder``.

        Args:
            folder: folder to write to.
            members: maps a member's name to a path relative to ``folder``, or to None to skip it.

        Returns:
            The files written.

        Raises:
            InputError: pip cannot fetch the wheel, its hash is not the pinned one, or no member was chosen.
        """
        written = []
        # Inside the folder being built, so that an interrupted download is removed with it.
        download = folder / ".download"
        download.mkdir(parents=True)
        with zipfile.ZipFile(self._fetch(download)) as archive:
            for member in archive.namelist():
                target = None if member.endswith("/") else members(member)
                if target is not None:
                    path = folder / target
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(member))
                    written.append(path)
        shutil.rmtree(download)
        if not written:
            raise InputError(f"{self.project} {self.version}: the wheel lacks the expected files; report this")
        return written

    def _fetch(self, folder: Path) -> Path:
        print(f"fetching {self.project} {self.version} ({self.megabytes} MB), once", file=sys.stderr, flush=True)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{self.project}=={self.version} --hash=sha256:{self.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--quiet"]
        command += ["--only-binary", ":all:", "--no-input", "--disable-pip-version-check", *self.pip_options]
        done = subprocess.run(
            [*command, "--dest", str(folder), "--requirement", str(requirements)],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise InputError(f"{self.project} {self.version}: {_pip_complaint(done.stderr)}")
        return next(folder.glob("*.whl"))


def _pip_complaint(stderr: str) -> str:
    """Reduce pip's output to one sentence with a remedy."""
    if "No module named pip" in stderr:
        return f"this Python has no pip to fetch it with; run {sys.executable} -m ensurepip"
    if "DO NOT MATCH THE HASHES" in stderr:
        return "the package index serves a file whose SHA-256 is not the pinned one; do not use it, report this"
    if "No space left" in stderr:
        return f"no space left to fetch it; free some, or set AMP_HELPERS_CACHE (now {cache_dir()})"
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR:")] or stderr.splitlines()[-1:]
    cause = errors[-1].removeprefix("ERROR:").strip() if errors else "pip printed no reason"
    return f"cannot be fetched ({cause}); check the network and pip's index settings, then run it again"


USD_VERSION = 2
"""Version in the names of folders with USD models; raise it when the conversion changes."""


def build_usd(source: Path, folder: Path) -> None:
    """Convert an MJCF file to USD layers in ``folder``, named after the model, with a drive on every joint.

    PhysX ignores gains and targets of a joint without a drive. The drives' gains are 0; a task sets its own.
    """
    # In its own process: the converter prints a lot, and a simulator has to load its own USD libraries first.
    done = subprocess.run([sys.executable, "-P", "-c", _CONVERT, source, folder], capture_output=True, text=True)
    if "No module named 'mujoco_usd_converter'" in done.stderr:
        raise InputError("mujoco-usd-converter is not installed, so no USD model can be built; pip install -e '.[sim]'")
    if done.returncode != 0:
        reason = (done.stderr.splitlines() or ["no message"])[-1]
        remedy = "free some space" if "No space left" in done.stderr else "simplify the model, or report this"
        raise InputError(f"{source}: cannot be converted to USD ({reason}); {remedy}")
    license_file = source.parent / "LICENSE.mjlab"
    if license_file.is_file():  # of a robot from mjlab
        shutil.copyfile(license_file, folder / license_file.name)


_CONVERT = """
import pathlib, re, sys, mujoco, mujoco_usd_converter
from pxr import Usd, UsdPhysics
read = mujoco.MjSpec.from_file
def read_with_safe_name(path):  # the converter names its files after the model, whose name may be a path
    spec = read(path)
    spec.modelname = re.sub("[^A-Za-z0-9_-]", "_", spec.modelname) or "robot"
    return spec
mujoco.MjSpec.from_file = staticmethod(read_with_safe_name)
mujoco_usd_converter.Converter(scene=False).convert(*sys.argv[1:])
for path in pathlib.Path(sys.argv[2]).rglob("Physics.usda"):
    stage = Usd.Stage.Open(str(path))
    for prim in stage.Traverse():
        for kind, axis in ((UsdPhysics.RevoluteJoint, "angular"), (UsdPhysics.PrismaticJoint, "linear")):
            if prim.IsA(kind) and not prim.HasAPI(UsdPhysics.DriveAPI, axis):
                UsdPhysics.DriveAPI.Apply(prim, axis)
    stage.Save()
"""


def build_ground(folder: Path) -> None:
    """Write a horizontal collision plane at z = 0, with the ``Plane`` and shader tint that Isaac Lab reads."""
    (folder / "ground.usda").write_text(_GROUND_USDA)


_GROUND_USDA = """#usda 1.0
(
    defaultPrim = "Ground"
    metersPerUnit = 1
    upAxis = "Z"
)

def Xform "Ground"
{
    def Plane "CollisionPlane" (
        prepend apiSchemas = ["PhysicsCollisionAPI"]
    )
    {
        uniform token axis = "Z"
        double width = 200
        double length = 200
    }

    def Scope "Looks"
    {
        def Material "theGrid"
        {
            token outputs:surface.connect = </Ground/Looks/theGrid/Shader.outputs:surface>

            def Shader "Shader"
            {
                uniform token info:id = "UsdPreviewSurface"
                color3f inputs:diffuseColor.connect = </Ground/Looks/theGrid/Shader.inputs:diffuse_tint>
                color3f inputs:diffuse_tint = (0.5, 0.5, 0.5)
                token outputs:surface
            }
        }
    }
}
"""

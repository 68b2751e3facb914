"""The first cell of every notebook: check the environment, prepare its libraries, and make folders for results."""

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
from types import MappingProxyType
from typing import TYPE_CHECKING

from amp_helpers.errors import InputError, atomic_path
from amp_helpers.training.run_folder import HEALTH_FILE, LOG_FILE
from amp_helpers.utils.resources import checkout
from amp_helpers.utils.threads import spin_briefly

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PYTHON = (3, 12)
NEEDS = ("isaaclab", "skrl", "torch", "mujoco", "matplotlib", "ipywidgets")
FIGURE_DPI, SCREEN_DPI = 160, 88
EMBED_BYTES = 3_000_000
"""Largest video that is embedded in the page; larger ones are linked."""

_DRAFT = "_new"
_IN_STEP = html.escape(
    "const t = Date.now() / 1000 % this.duration, off = Math.abs(this.currentTime - t);"
    "if (!this.paused && !this.seeking && off > 0.08 && off < this.duration - 0.08) this.currentTime = t"
)
"""Moves a video to where a clock of its length is. A browser starts each video when it comes into view."""


@dataclass(frozen=True)
class Workspace:
    """Folders of a notebook's results, and how it shows them."""

    output: Path
    """Parent folder of all results."""

    @property
    def figures(self) -> Path:
        """``figures/`` in the output folder."""
        return self.output / "figures"

    @property
    def videos(self) -> Path:
        """``videos/`` in the output folder."""
        return self.output / "videos"

    def fresh_folder(self, name: str) -> Path:
        """Make an empty folder of that name for a training run, and delete an earlier run there.

        Raises:
            InputError: the folder holds something other than a training run.
        """
        folder = self.output / name
        _check_run_or_empty(folder)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def draft_folder(self, name: str) -> Path:
        """Make an empty folder ``NAME_new`` for a training run that :meth:`keep` moves to ``NAME`` once it is complete.

        Raises:
            InputError: one of the two folders holds something other than a training run.
        """
        _check_run_or_empty(self.output / name)
        return self.fresh_folder(f"{name}{_DRAFT}")

    def keep(self, draft: Path) -> Path:
        """Move a complete run of :meth:`draft_folder` to its place, and delete the earlier run there; return the place.

        Raises:
            InputError: the place holds something other than a training run.
        """
        folder = self.output / draft.name.removesuffix(_DRAFT)
        _check_run_or_empty(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return draft.rename(folder)

    @contextmanager
    def scratch_folder(self, name: str) -> Iterator[Path]:
        """Yield a folder for a training run, and delete it at the end of the block."""
        folder = self.fresh_folder(name)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def show(self, figure: "Figure", name: str, alt: str) -> None:
        """Write ``figures/NAME.png`` and display it; ``alt`` describes the figure in words."""
        from IPython.display import Image, display

        from amp_helpers.plots.panels import save_png

        picture = io.BytesIO()
        save_png(figure, picture, FIGURE_DPI)
        with atomic_path(self.figures / f"{name}.png") as temporary:
            temporary.write_bytes(picture.getvalue())
        display(Image(picture.getvalue(), width=round(figure.get_figwidth() * SCREEN_DPI), alt=alt))

    def play(
        self,
        videos: Mapping[str, Path],
        min_width: int = 320,
        columns: int | None = None,
        sentences: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Display videos with their titles, in a loop without sound; those of one length stay in step.

        They are side by side where each can be ``min_width`` pixels wide.

        Args:
            videos: title -> file.
            min_width: pixels.
            columns: tiles of equal width, at most so many beside each other; ``None`` lets the last row's grow.
            sentences: title -> what to say below the video; the titles are then below too.
        """
        from IPython.display import HTML, display

        tiles = []
        for title, path in videos.items():
            video = (
                f'<video src="{_video_source(path)}" aria-label="{html.escape(title)}" controls loop muted autoplay '
                f'playsinline onplay="{_IN_STEP}" ontimeupdate="{_IN_STEP}" style="width:100%"></video>'
            )
            name, told = html.escape(title), html.escape(sentences.get(title, ""))
            caption = f"<strong>{name}</strong><br>{told}" if sentences else name
            parts = f"<figcaption>{caption}</figcaption>", video
            tiles.append(
                f'<figure style="margin:0;flex:1 1 {min_width}px;max-width:960px">'
                f"{''.join(reversed(parts) if sentences else parts)}</figure>"
            )
        layout = "display:flex;flex-wrap:wrap"
        if columns:
            share = f"calc((100% - {12 * (columns - 1)}px) / {columns})"
            tracks = f"repeat(auto-fill,minmax(max({min_width}px,{share}),1fr))"
            layout = f"display:grid;align-items:{'start' if sentences else 'end'};grid-template-columns:{tracks}"
        display(HTML(f'<div style="{layout};gap:12px">{"".join(tiles)}</div>'))


def _check_run_or_empty(folder: Path) -> None:
    if folder.is_file() or (
        folder.exists() and any(folder.iterdir()) and not any((folder / n).is_file() for n in (HEALTH_FILE, LOG_FILE))
    ):
        raise InputError(f"{folder}: holds something other than a training run; move it, or choose another output_dir")


WHOLE_WORDS = """<style class="amp-words">
.jp-Notebook:has(.amp-words) .jp-OutputArea-output pre { word-break: normal; overflow-wrap: normal; }
.jp-OutputArea-child:has(.amp-words) { display: none; }
</style>"""
"""Lets JupyterLab wrap printed lines of this notebook between words; it wraps them anywhere."""


def _keep_words_whole() -> None:
    from IPython import get_ipython
    from IPython.display import HTML, display

    if get_ipython():
        display(HTML(WHOLE_WORDS))


def _check_working_folder(output_dir: Path) -> None:
    """Refuse to write beside another folder what a notebook of this project would write beside its own."""
    notebooks = (checkout() or Path.cwd()) / "notebooks"
    if output_dir.parts[:1] == ("..",) and notebooks.is_dir() and not Path("../datasets").is_dir():
        raise InputError(
            f"the working folder is {Path.cwd()}, where ../datasets, which the notebooks read, is missing; run "
            f"'%cd {notebooks}' first, or give output_dir as an absolute path"
        )


def _video_source(path: Path) -> str:
    if path.stat().st_size > EMBED_BYTES:
        return html.escape(f"videos/{path.name}")
    return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


@contextmanager
def quiet() -> Iterator[None]:
    """Discard output of native code, such as a solver's notes.

    The block redirects file descriptors 1 and 2. In a notebook, Python's own prints do not use them and still appear.
    In a script they do, and are discarded as well.
    """
    saved = [os.dup(stream) for stream in (1, 2)]
    try:
        with open(os.devnull, "w") as null:
            for stream in (1, 2):
                os.dup2(null.fileno(), stream)
        yield
    finally:
        for stream, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, stream)
            os.close(copy)


def start(output_dir: str | Path, needs: Sequence[str] = NEEDS) -> Workspace:
    """Check that this kernel can run the notebook, prepare its libraries, and make the folders for results.

    torch must not be loaded before, see :func:`amp_helpers.utils.spin_briefly`.

    Args:
        output_dir: parent of all results; relative to the working folder, which is the notebook's own.
        needs: modules that have to be installed.

    Raises:
        InputError: another version of Python, a missing module, a folder that cannot be written, or a relative
            ``output_dir`` where the working folder is not that of the notebooks.
    """
    spin_briefly()
    here = f"this kernel runs Python {sys.version_info[0]}.{sys.version_info[1]} at {sys.executable}"
    remedy = "run 'make setup' once, and open the notebooks with 'make lab'"
    if sys.version_info[:2] != PYTHON:
        raise InputError(f"{here}; Isaac Lab 3.0 needs {PYTHON[0]}.{PYTHON[1]}: {remedy}")
    missing = [name for name in needs if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{here}, where {', '.join(missing)} is not installed; {remedy}")
    _check_working_folder(Path(output_dir))
    _keep_words_whole()
    if "isaaclab" in needs:
        import warp

        warp.config.quiet = True
        with quiet():  # it prints a warning on machines without a GPU
            warp.init()
    # Isaac Lab announces a change of its next release, which does not concern a reader of the notebooks.
    warnings.filterwarnings("ignore", message="Newton shape color", category=FutureWarning)
    workspace = Workspace(Path(output_dir).resolve())
    try:
        for folder in (workspace.figures, workspace.videos):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{workspace.output}: cannot be written ({error.strerror}); choose a writable output_dir"
        ) from None
    return workspace

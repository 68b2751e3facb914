"""Copy the notebooks' results to a static site: pages, figures and videos, for any web server."""

import shutil
import sys
import tempfile
from pathlib import Path

from amp_helpers.errors import InputError, run_cli
from amp_helpers.notebook import pages
from amp_helpers.notebook.execute import NOTEBOOK_FOLDER, NOTEBOOKS, read_notebook
from amp_helpers.utils.command_line import OneLineParser

_FOLDERS = ("figures", "videos")
_MARK = "<!-- a site made by python -m amp_helpers.notebook.site, which may replace this folder -->"
"""Last line of a site's index: any folder may hold an ``index.html``."""


def write_site(output: Path, site: Path, documentation: str | None = None) -> Path:
    """Write the executed notebooks of ``output`` as pages to ``site`` and return its ``index.html``.

    Training runs are left out. An earlier site in the same folder, told by a mark in its index, is replaced once the
    new one is complete. The index links to ``documentation``, if that address is given.

    Raises:
        InputError: ``output`` holds no executed notebook, or ``site`` holds something other than a site.
    """
    executed = [name for name in NOTEBOOKS if (output / f"{name}.ipynb").is_file()]
    if not executed:
        raise InputError(f"{output}: holds no executed notebook; run 'make run' first")
    if output.resolve().is_relative_to(site.resolve()):
        raise InputError(f"{site}: contains {output}, from which the site is made; choose another folder with --site")
    site = site.resolve()  # the target of a link, rather than the link
    if site.is_file() or (site.is_dir() and any(site.iterdir()) and not _is_site(site)):
        raise InputError(
            f"{site}: holds something other than a site made by this command; choose another folder with --site, or "
            "delete it yourself"
        )
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{site.name}-", dir=site.parent) as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        _fill(new, output, executed, documentation)
        if site.exists():
            site.rename(old)
        new.rename(site)
    return site / "index.html"


def _is_site(folder: Path) -> bool:
    index = folder / "index.html"
    return index.is_file() and index.read_bytes()[-200:].rstrip().endswith(_MARK.encode())


def _fill(site: Path, output: Path, executed: list[str], documentation: str | None) -> None:
    for name in executed:
        notebook = read_notebook(output / f"{name}.ipynb")
        pages.write_page(notebook, site / f"{name}.html", executed, NOTEBOOK_FOLDER, documentation)
        shutil.copy2(output / f"{name}.ipynb", site)
    for name in _FOLDERS:
        if (output / name).is_dir():
            shutil.copytree(output / name, site / name)
    for name in pages.METRICS:
        if (output / name).is_file():
            shutil.copy2(output / name, site)
    index = pages.write_index(site, executed, documentation)
    index.write_text(f"{index.read_text(encoding='utf-8').rstrip()}\n{_MARK}\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = OneLineParser(
        prog="python -m amp_helpers.notebook.site", description="Make a static site of the notebooks' results."
    )
    parser.add_argument("--output", type=Path, default=Path("outputs"), help="folder of the executed notebooks")
    parser.add_argument("--site", type=Path, default=Path("build/site"), help="folder of the site")
    parser.add_argument("--documentation", metavar="ADDRESS", help="where the index links to as the documentation")
    args = parser.parse_args(argv)
    print(f"The site is {write_site(args.output, args.site, args.documentation).resolve().as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(run_cli(main))

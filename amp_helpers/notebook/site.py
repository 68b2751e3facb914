"""What the notebooks produced as a static site: pages, figures and videos, for any web server and for a phone."""

import argparse
import shutil
import sys
from pathlib import Path

from amp_helpers.errors import InputError, run_cli
from amp_helpers.notebook import pages
from amp_helpers.notebook.execute import NOTEBOOK_FOLDER, NOTEBOOKS, read_notebook

_PRODUCTS = ("figures", "videos")


def write_site(output: Path, site: Path) -> Path:
    """Render the executed notebooks of ``output`` into ``site`` and return its ``index.html``.

    Training runs and other heavy products stay behind; what an earlier site held is replaced.

    Raises:
        InputError: no notebook was executed there, or ``site`` holds something other than a site.
    """
    executed = [name for name in NOTEBOOKS if (output / f"{name}.ipynb").is_file()]
    if not executed:
        raise InputError(f"{output}: holds no executed notebook; run 'make run' first")
    if output.resolve().is_relative_to(site.resolve()):
        raise InputError(f"{site}: holds what the site is made from; choose another folder with --site")
    if site.exists() and any(site.iterdir()) and not (site / "index.html").is_file():
        raise InputError(f"{site}: holds something other than a site; choose another folder with --site")
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    for name in executed:
        notebook = read_notebook(output / f"{name}.ipynb")
        pages.write_page(notebook, site / f"{name}.html", executed, NOTEBOOK_FOLDER)
        shutil.copy2(output / f"{name}.ipynb", site)
    for name in _PRODUCTS:
        if (output / name).is_dir():
            shutil.copytree(output / name, site / name)
    if (output / "metrics.json").is_file():
        shutil.copy2(output / "metrics.json", site)
    return pages.write_index(site, executed)


def main(argv: list[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m amp_helpers.notebook.site", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("outputs"), help="where the notebooks were executed")
    parser.add_argument("--site", type=Path, default=Path("build/site"), help="folder of the site")
    args = parser.parse_args(argv)
    print(f"The site is {write_site(args.output, args.site).resolve().as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(run_cli(main))

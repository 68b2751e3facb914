"""Imports within the package run one way: no circle between modules, and none from a lower room to a higher one."""

import ast
import importlib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "amp_helpers"
ROOMS = (
    "errors",
    "utils",
    "joints",
    "motion",
    "robots",
    "dataset",
    "metrics",
    "formats",
    "feet",
    "agent",
    "amp_state",
    "env",
    "training",
    "deploy",
    "checks",
    "lessons",
    "render",
    "plots",
    "widgets",
    "web",
    "notebook",
    "convert",
    "check",
    "refine",
    "train",
    "export",
    "drive",
    "measure",
    "evaluate",
    "calibrate",
    "study",
    "pipeline",
)
"""From the ground floor up: a room imports from those before it. The commands are at the top."""


def modules(package: Path) -> dict[str, Path]:
    """Dotted name -> file of every module; a package's ``__init__`` only hands names on and is left out."""
    files = (file for file in package.rglob("*.py") if file.name != "__init__.py")
    return {".".join((package.name, *file.relative_to(package).with_suffix("").parts)): file for file in files}


def imports(file: Path, known: dict[str, Path]) -> set[str]:
    """The modules among ``known`` that a file imports, inside functions and for type checking too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: line {node.lineno} imports relatively; name the module in full"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & set(known)


def graph(package: Path) -> dict[str, set[str]]:
    known = modules(package)
    return {name: imports(file, known) - {name} for name, file in known.items()}


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """The modules of one circle in order, or nothing."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def upward(arrows: dict[str, set[str]], rooms: tuple[str, ...]) -> list[str]:
    """``lower imports higher``, for every import against the order of the rooms."""
    floor = {room: number for number, room in enumerate(rooms)}

    def of(module: str) -> int:
        return floor[module.split(".")[1]]

    return sorted(f"{a} imports {b}" for a, targets in arrows.items() for b in targets if of(a) < of(b))


def passed_on(package: Path) -> list[str]:
    """``a imports name by way of b``, for every name that b itself imports."""
    statements = {
        name: [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
        for name, file in modules(package).items()
    }
    foreign = {
        name: {alias.asname or alias.name for node in nodes for alias in node.names}
        for name, nodes in statements.items()
    }
    return sorted(
        f"{name} imports {alias.name} by way of {node.module}"
        for name, nodes in statements.items()
        for node in nodes
        for alias in node.names
        if alias.name in foreign.get(node.module or "", ())
    )


def test_every_module_is_in_a_room():
    assert {name.split(".")[1] for name in modules(PACKAGE)} == set(ROOMS)


def test_no_import_runs_in_a_circle():
    assert circle(graph(PACKAGE)) == []


def test_no_import_runs_against_the_order_of_the_rooms():
    assert upward(graph(PACKAGE), ROOMS) == []


def test_a_name_is_imported_from_its_own_module():
    assert passed_on(PACKAGE) == []


def test_packages_hand_on_names_that_exist():
    for init in PACKAGE.rglob("__init__.pyi"):
        package = importlib.import_module(".".join((PACKAGE.name, *init.parent.relative_to(PACKAGE).parts)))
        assert package.__all__ and all(hasattr(package, name) for name in package.__all__)
        shadowed = {file.stem for file in init.parent.glob("*.py")} & set(package.__all__)
        assert not shadowed, f"{package.__name__} hands on {shadowed}, which are also modules of it"


@pytest.fixture
def house(tmp_path) -> Path:
    """A package of two rooms with an import each way and a circle."""
    for name, text in {
        "low/__init__.py": "",
        "low/a.py": "def f():\n    from house.high.c import g\n",
        "low/b.py": "from house.low import a\n",
        "high/__init__.py": "",
        "high/c.py": "import house.low.b\n",
    }.items():
        (tmp_path / "house" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "house" / name).write_text(text)
    return tmp_path / "house"


def test_a_circle_and_an_upward_import_are_found_and_both_files_named(house):
    arrows = graph(house)
    assert set(circle(arrows)) == {"house.low.a", "house.low.b", "house.high.c"}
    assert upward(arrows, ("low", "high")) == ["house.low.a imports house.high.c"]


def test_a_name_by_way_of_another_module_is_found(house):
    (house / "high" / "d.py").write_text("from house.low.e import exp, one\n")
    (house / "low" / "e.py").write_text("from math import exp\none = 1\n")
    assert passed_on(house) == ["house.high.d imports exp by way of house.low.e"]


def test_a_relative_import_is_found(house):
    (house / "low" / "b.py").write_text("from . import a\n")
    with pytest.raises(AssertionError, match="imports relatively"):
        graph(house)

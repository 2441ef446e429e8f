"""What importing costs, and who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import nas

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "torchvision",
    "optuna",
    "networkx",
    "numpy",
    "matplotlib",
    "sklearn",
    "safetensors",
)


def run(code: str) -> str:
    """Run Python code in a fresh process and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# -- cost -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "import nas",
        "import nas.cli",
        "import nas.errors, nas.settings, nas.registry",
        "from nas import NasError",
        "import nas; dir(nas); nas.__version__",
    ],
)
def test_what_is_imported_first_is_light(statement: str) -> None:
    loaded = run(f"import sys\n{statement}\nprint([m for m in {HEAVY} if m in sys.modules])")
    assert loaded == "[]\n"


def test_help_is_light() -> None:
    loaded = run(
        "import sys\n"
        "from nas.cli import main\n"
        "sys.argv = ['nas', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert "search" in loaded and loaded.endswith("[]\n")


@pytest.mark.parametrize("command", [["data"], ["bench", "list"]])
def test_lists_that_need_no_torch_do_without(command: list[str], nas_home: Path) -> None:
    printed = run(
        "import sys\n"
        "from nas.cli import main\n"
        f"sys.argv = {['nas', *command]!r}\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "print('torch' in sys.modules)"
    )
    assert "digits" in printed or "nas-bench-201" in printed
    assert printed.endswith("False\n")


def test_spaces_without_a_network_do_without_torch() -> None:
    """Architectures are drawn, written and read without it."""
    loaded = run(
        "import sys\n"
        "import numpy\n"
        "from nas.search_spaces.nas_bench_201 import NASBench201\n"
        "space = NASBench201()\n"
        "a = space.sample(numpy.random.default_rng(0), 1)[0]\n"
        "assert space.parse(space.format(space.mutate(a, numpy.random.default_rng(0))))\n"
        "space.canonical(a), space.encode([a]), space.graph(a), space.path(a)\n"
        "print('torch' in sys.modules)"
    )
    assert loaded == "False\n"


def test_a_folder_of_the_same_name_does_not_hide_the_package(tmp_path: Path) -> None:
    """Such as a clone called nas, beside a script or a notebook."""
    (tmp_path / "nas" / "docs").mkdir(parents=True)
    code = "import nas, nas.registry; print(nas.__file__, nas.registry.__name__)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [nas.__file__, "nas.registry"]


POSIX_ONLY = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}


def test_nothing_is_imported_that_windows_lacks() -> None:
    """What cannot be had there is imported where it is used, if at all."""
    found = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in (ROOT / "nas").rglob("*.py")
        for name in imported(file)
        if name.partition(".")[0] in POSIX_ONLY
    ]
    assert not found


def imported(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


# -- the public face --------------------------------------------------------------------------


def test_public_names() -> None:
    for name in nas.__all__:
        assert getattr(nas, name) is not None
    assert dir(nas) == sorted(nas.__all__)
    with pytest.raises(AttributeError, match="module 'nas' has no attribute 'serach'"):
        _ = nas.serach  # type: ignore[attr-defined]


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(nas.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == nas._HOME


@pytest.mark.parametrize("name", ["search", "export"])
def test_functions_with_the_name_of_their_wing(name: str) -> None:
    """`nas.search` stays the function when Python binds the package of that name."""
    module = import_module(f"nas.{name}")
    assert getattr(nas, name) is getattr(module, name)
    setattr(nas, name, module)
    assert callable(getattr(nas, name))


# -- who may import whom ----------------------------------------------------------------------


def test_import_contract() -> None:
    """The contract is `.importlinter`."""
    pytest.importorskip("importlinter")
    code = (
        "from importlinter.cli import lint_imports as lint; raise SystemExit(lint(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def wings() -> dict[str, Path]:
    """Return name -> folder of the packages that the house consists of."""
    return {file.parent.name: file.parent for file in (ROOT / "nas").glob("*/__init__.py")}


def test_wings_are_entered_by_their_front_door() -> None:
    """A file names its own wing's files in full; of another wing, what its `__init__` exports."""
    inside = [
        f"{file.relative_to(ROOT)}: {module}"
        for name, folder in wings().items()
        for file in folder.rglob("*.py")
        for module in imported(file)
        if (parts := module.split("."))[0] == "nas" and len(parts) > 2
        if parts[1] in wings() and parts[1] != name
    ]
    assert not inside


@pytest.mark.parametrize("name", sorted(wings()))
def test_files_of_a_wing_import_each_other_in_no_circle(name: str) -> None:
    """Nor for type checking only: what both sides need is a file of its own, or a protocol."""
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): file
        for file in wings()[name].rglob("*.py")
        if file.name != "__init__.py"
    }
    order = TopologicalSorter({m: {*imported(file)} & {*files} for m, file in files.items()})
    order.prepare()  # raises CycleError, which names a circle


@pytest.mark.parametrize("name", sorted(wings()))
def test_a_wing_exports_what_it_says(name: str) -> None:
    wing = import_module(f"nas.{name}")
    assert wing.__doc__
    missing = [export for export in getattr(wing, "__all__", ()) if not hasattr(wing, export)]
    assert not missing

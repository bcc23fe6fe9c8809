"""Who may import whom, and that importing changes nothing; read from the syntax trees of the source."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import vaekit

ROOT = Path(vaekit.__file__).parent
CHAIN = ("distributions", "core", "likelihoods", "posteriors", "priors", "models", "objectives", "training", "tasks",
         "evaluation", "recipes", "estimators", "server", "cli", "testing")  # fmt: skip
LEAVES = ("networks", "noise", "coding", "container", "data", "store", "plots")
LEAF_USERS = {"plots": {"estimators", "cli"}}  # the pictures are drawn by the faces alone
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem not in ("__init__", "__main__"))


def unit_of(path: Path) -> str:
    """The folder or module directly below the package that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_units(path: Path) -> set[str]:
    """The parts of the package that a file imports, relative imports resolved; those for type checkers included."""
    package = ("vaekit", *path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("vaekit.")}
    return {name for name in found if (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()}


def test_every_part_has_its_place():
    assert {unit_of(path) for path in FILES} <= {*CHAIN, *LEAVES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_to_the_left(path):
    unit = unit_of(path)
    if unit in LEAVES:
        allowed = {unit}
    else:
        allowed = {*CHAIN[: CHAIN.index(unit) + 1], *(leaf for leaf in LEAVES if unit in LEAF_USERS.get(leaf, {unit}))}
    assert imported_units(path) <= allowed


def test_the_reader_of_imports_sees_relative_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    for name in ("core", "tasks", "training"):
        (tmp_path / name).mkdir()
    file = tmp_path / "tasks" / "a.py"
    file.write_text(
        "from . import b\nfrom ..core import x\nfrom .. import training\nimport vaekit.nothing\nimport os\n"
    )
    assert imported_units(file) == {"tasks", "core", "training"}


def test_networks_know_torch_alone():
    for path in (ROOT / "networks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module.split(".")[0] in {*sys.stdlib_module_names, "torch"}
                assert "distributions" not in node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_command_line_and_the_progress_print(path):
    if unit_of(path) == "cli" or path == ROOT / "training" / "progress.py":
        return
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if isinstance(call, ast.Name) and call.id == "print"]


def run_python(code: str) -> dict:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_importing_vaekit_is_light():
    code = "import json, sys, vaekit; vaekit.__version__; dir(vaekit); print(json.dumps(list(sys.modules)))"
    loaded = {name.split(".")[0] for name in run_python(code)}
    assert not loaded & {"torch", "sklearn", "matplotlib", "pandas", "numpy", "pydantic", "rich"}


IMPORT_ALL = """
import importlib, json, os, pkgutil, random, signal, warnings
import numpy, torch
import matplotlib, matplotlib.figure, PIL.Image, pydantic, rich.progress, sklearn.datasets, sklearn.model_selection
from torch.distributions import Distribution

def state():
    return {
        "default dtype": str(torch.get_default_dtype()), "threads": torch.get_num_threads(),
        "torch's generator": torch.get_rng_state().tolist(), "numpy's generator": repr(numpy.random.get_state()),
        "random's generator": repr(random.getstate()), "validation": Distribution._validate_args,
        "environment": dict(os.environ), "signals": repr(signal.getsignal(signal.SIGINT)),
        "warnings": len(warnings.filters), "gradients": torch.is_grad_enabled(),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "backend": str(dict.__getitem__(matplotlib.rcParams, "backend")),
    }

before = state()
import vaekit
names = [m.name for m in pkgutil.walk_packages(vaekit.__path__, "vaekit.") if not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
after = state()
print(json.dumps({"changed": [name for name in before if before[name] != after[name]], "modules": len(names)}))
"""


def test_importing_every_module_changes_nothing():
    result = run_python(IMPORT_ALL)
    assert result["changed"] == []
    assert result["modules"] >= 50

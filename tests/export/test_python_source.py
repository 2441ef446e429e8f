"""Source files that make the network without this package."""

from __future__ import annotations

import functools
import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from nas import registry
from nas.errors import NasError
from nas.export import export
from nas.mutables import Elastic, Mutable, OneOf, SomeOf, collapse, mutables

SHAPE = (3, 8, 8)
SCALE = 1.5


class Reduction(Enum):
    MEAN = 1
    MAX = 2


@dataclass
class Settings:
    rate: float = 0.5
    names: tuple[str, ...] = ("a",)


def pooled(x: Tensor, how: Reduction) -> Tensor:
    # over the whole image
    return x.mean((2, 3)) if how is Reduction.MEAN else x.amax((2, 3))


class Scaled(nn.Module):
    """What blocks have in common."""

    def scaled(self, x: Tensor) -> Tensor:
        return x * SCALE * self.gain


class Block(Scaled):
    """A residual block with a choice.

    Args:
        channels: Of input and output.
    """

    def __init__(self, channels: int, name: str) -> None:
        super().__init__()
        candidates = [nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)]
        self.conv: nn.Module = OneOf(candidates, label=name)
        self.gain = nn.Parameter(torch.rand(channels, 1, 1))
        self.register_buffer("mask", torch.rand(channels, 1, 1) > 0.5, persistent=False)
        self.unused = lambda x: x

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scaled(F.relu(self.conv(x))) * self.mask

    def choices(self) -> list[Mutable]:
        return [module for module in self.modules() if isinstance(module, OneOf)]


class UserNetwork(nn.Module):
    """A network of a user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = Settings(0.25)
        self.how = Reduction.MAX
        self.activation = functools.partial(F.leaky_relu, negative_slope=0.2)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.blocks = self.make_blocks()
        self.some: nn.Module = SomeOf([nn.Identity(), nn.AvgPool2d(3, 1, 1), nn.ReLU()], choose=2)
        inner = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
        self.mlp: nn.Module = Elastic(inner, width=(4, 16, 32))
        self.head = nn.Linear(8, 5)

    def make_blocks(self) -> nn.ModuleList:
        return nn.ModuleList([Block(8, "first"), Block(8, "second"), Block(8, "first")])

    def forward(self, x: Tensor) -> Tensor:
        x = self.some(self.stem(x))
        for block in self.blocks:
            x = block(x)
        x = pooled(x, self.how) * self.settings.rate * math.sqrt(2)
        return self.head(self.activation(self.mlp(x)))  # type: ignore[no-any-return]


def user_network() -> nn.Module:
    net = UserNetwork()
    mutables(net)
    return collapse(net, {"first": 0, "second": 1, "some": (0, 1), "mlp": 1})


def built(name: str, **settings: Any) -> nn.Module:
    space = registry.get("search_spaces", name).factory()
    architecture = space.catalogue().get("DARTS_V2") or space.sample(np.random.default_rng(1), 1)[0]
    task = SimpleNamespace(input_shape=SHAPE, outputs=10)
    net: nn.Module = space.build(architecture, task, channels=4, **settings)
    return net


def extracted() -> nn.Module:
    space = registry.get("search_spaces", "darts").factory()
    task = SimpleNamespace(input_shape=SHAPE, outputs=10)
    supernet = space.supernet(task, channels=8, layers=3, partial_channels=4, edge_gates=True)
    net: nn.Module = supernet.extract(space.sample(np.random.default_rng(2), 1)[0])
    return net


def without_config() -> nn.Module:
    net = built("darts", layers=3)
    del net.config
    return net


NETWORKS = {
    "darts": lambda: built("darts", layers=3),
    "auxiliary": lambda: built("darts", layers=3, auxiliary=True),
    "partial": extracted,
    "nasbench": lambda: built("nas-bench-201", cells=1),
    "nasnet": lambda: built("nasnet", layers=2, stem="imagenet"),
    "user": user_network,
    "regenerated": without_config,
}

RUN = """
import importlib.util, json, sys
from pathlib import Path

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("nas", "test_python_source"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
import torch
from safetensors.torch import load_file

found = {}
for file in sorted(Path(sys.argv[1]).glob("*.py")):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load()
    data = load_file(file.with_suffix(".data"))
    with torch.no_grad():
        deviation = max((network(data[x]) - data[y]).abs().max().item() for x, y in ("xy", "uv"))
    torch.save(network.state_dict(), file.with_suffix(".pt"))
    again = module.load(file.with_suffix(".pt"))
    module.main()
    state = network.state_dict()
    found[file.stem] = {
        "deviation": deviation,
        "from torch.save": all(torch.equal(v, state[k]) for k, v in again.state_dict().items()),
        "training": [module.build().training, network.training],
        "parameters": sum(p.numel() for p in network.parameters()),
        "imports nas": "nas" in sys.modules,
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every network as source and weights, and inputs and outputs."""
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    for name, make in NETWORKS.items():
        net = make()
        for tensor in [*net.parameters(), *net.buffers()]:
            if tensor.is_floating_point():
                tensor.data += 0.1 * torch.rand_like(tensor)
        export(net, SHAPE, "python", folder / f"{name}.py")
        x, u = torch.randn(3, *SHAPE), torch.randn(1, *SHAPE)
        with torch.no_grad():
            data = {"x": x, "y": net.eval()(x), "u": u, "v": net(u)}
        data["parameters"] = torch.tensor([sum(p.numel() for p in net.parameters())])
        save_file(data, folder / f"{name}.data")
    return folder


@pytest.fixture(scope="module")
def reports(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a fresh process, in which `nas` cannot be imported, makes of the files."""
    command = [sys.executable, "-I", "-c", RUN, str(folder)]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["printed"] = done.stdout
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_reproduces_the_network_without_this_package(
    folder: Path, reports: dict[str, Any], name: str
) -> None:
    from safetensors.torch import load_file

    report = reports[name]
    assert report["deviation"] < 1e-5
    assert report["from torch.save"]
    assert report["training"] == [True, False]
    assert report["parameters"] == load_file(folder / f"{name}.data")["parameters"].item()
    assert not report["imports nas"]
    assert f"parameters: {report['parameters']:,}\n" in reports["printed"]


@pytest.mark.parametrize("name", NETWORKS)
def test_source_is_self_contained_and_readable(folder: Path, name: str) -> None:
    text = (folder / f"{name}.py").read_text()
    for word in ("import nas", "from nas", "OneOf", "Elastic", "Mutable", "Supernet"):
        assert word not in text
    assert max(map(len, text.splitlines())) <= 100
    compile(text, name, "exec")


@pytest.mark.parametrize("name", NETWORKS)
def test_source_is_formatted(folder: Path, name: str) -> None:
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    common = ["--isolated", "--line-length", "100", str(folder / f"{name}.py")]
    for command in (["format", "--diff"], ["check", "--no-cache", "--select", "E,F,I"]):
        done = subprocess.run(
            [ruff, *command, *common], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_a_configured_network_keeps_its_classes(folder: Path) -> None:
    text = (folder / "darts.py").read_text()
    assert "    return CellNetwork(\n        genotype=Genotype(\n            normal=[\n" in text
    assert '                ("sep_conv_3x3", 0),\n' in text
    assert '"""A cell: every node adds two operations on earlier states;' in text


def test_a_users_network_is_written_from_its_modules(folder: Path) -> None:
    text = (folder / "user.py").read_text()
    assert "class Block(Scaled):" in text and "class Block1(Block):" in text
    assert "self.blocks = nn.ModuleList([Block1(), Block2(), Block1()])" in text
    assert "nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8)" in text
    assert "# over the whole image" in text
    for left_out in ("make_blocks", "choices", "unused", "Args:\n        channels"):
        assert left_out not in text


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.embedding(x).mean(1)
        return y, -y


def test_tokens_and_several_outputs(tmp_path: Path) -> None:
    export(Tokens(), (6,), "python", tmp_path / "a.py")
    text = (tmp_path / "a.py").read_text()
    assert "INPUT_SHAPE = (6,)\n" in text
    assert "torch.randint(2, (2, *INPUT_SHAPE))" in text


def test_notes(tmp_path: Path) -> None:
    space = registry.get("search_spaces", "darts").factory()
    architecture = space.catalogue()["DARTS_V1"]
    export(Tokens(), (6,), "python", tmp_path / "a.py", space=space, architecture=architecture)
    text = (tmp_path / "a.py").read_text()
    head = text[: text.index('"""\n')]
    assert "\n\nSpace darts: Genotype(normal=[" in head
    assert "\nInput: [batch, 6]\n" in head
    unwrapped = " ".join(head.split())
    assert space.format(architecture) in unwrapped


class Stateful(nn.Module):
    """Gives something else after it was saved."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        Stateful.calls += 1
        return x * Stateful.calls


def test_what_does_not_reproduce_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="export to python: outputs deviate by up to"):
        export(Stateful(), (4,), "python", tmp_path / "a.py")
    assert not list(tmp_path.iterdir())


class Dynamic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.size = 2

    def forward(self, x: Tensor) -> Tensor:
        return x * getattr(self, "si" + "ze")


def test_what_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="does not run on a batch of 3: AttributeError: 'Dynamic'"):
        export(Dynamic(), (4,), "python", tmp_path / "a.py")

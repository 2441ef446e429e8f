"""The search space of cells of TransNAS-Bench-101.

Source: Duan et al., TransNAS-Bench-101, CVPR 2021, arXiv:2105.11871, sec. 3.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nas import registry
from nas.errors import NasError
from nas.search_spaces.cells.dense_space import DenseCellSpace
from nas.search_spaces.cells.space import image_shape
from nas.settings import fill
from nas.space import Architecture

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["TransNASMicro"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
MODULES = "41414"
"""Five modules; the first, third and last halve the resolution and double the channels."""
_TEXT = re.compile(r"64-41414-([0-3])_([0-3]{2})_([0-3]{3})")


@registry.register(
    "search_spaces",
    "transnas-micro",
    "one cell of 4 states with 4 operations an edge, in 5 modules",
    "Duan et al., TransNAS-Bench-101, CVPR 2021, arXiv:2105.11871",
)
class TransNASMicro(DenseCellSpace):
    """One of four operations on every edge: 4^6 = 4,096 architectures.

    In the first cell of a module that halves the resolution, edges from the input have stride 2;
    `skip_connect` is a pair of convolutions there. The paper takes no two architectures for equal.
    """

    name = "transnas-micro"
    description = "one cell, 4 states, 4 operations an edge, 5 modules"
    candidates = OPERATIONS

    # -- text ---------------------------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        """Write `64-41414-1_02_333`: channels, modules, the operations into each state."""
        digits = "".join(map(str, architecture.choices))
        return f"64-{MODULES}-{digits[0]}_{digits[1:3]}_{digits[3:]}"

    def parse(self, text: str) -> Architecture:
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise NasError(
                f"not an architecture of '{self.name}': {text[:80]!r}; expected such as "
                f"64-{MODULES}-1_02_333, with 0 to 3 for {', '.join(OPERATIONS)}"
            )
        return Architecture(self.name, tuple(map(int, "".join(match.groups()))))

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.cells.module_network import CellModuleNetwork
        from nas.search_spaces.cells.module_settings import CellModuleSettings

        chosen = fill(CellModuleSettings, settings, "network")
        config = {
            "operations": self.operations(self.require(architecture)),
            "input_channels": image_shape(task, self.name)[0],
            "classes": task.outputs,
            "modules": MODULES,
            **vars(chosen),
        }
        network = CellModuleNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.cells.module_settings import ModuleSupernetSettings
        from nas.search_spaces.cells.module_supernetwork import ModuleSupernetwork
        from nas.search_spaces.cells.supercell import SupercellOptions

        chosen = fill(ModuleSupernetSettings, options, "supernet")
        edges = SupercellOptions(
            OPERATIONS,
            affine=chosen.affine,
            partial_channels=chosen.partial_channels,
            edge_gates=chosen.edge_gates,
            execution=chosen.execution,
        )
        shape: dict[str, Any] = {
            "channels": chosen.channels,
            "blocks": chosen.blocks,
            "stem": chosen.stem,
        }
        same = shape | {"affine": chosen.affine, "partial_channels": chosen.partial_channels}
        channels, _, _ = image_shape(task, self.name)
        return Supernet(
            ModuleSupernetwork(
                edges, channels, task.outputs, MODULES, **shape, checkpoint=chosen.checkpoint
            ),
            self.path,
            lambda architecture: self.build(architecture, task, **same),
        )

    def network_defaults(self, scale: str) -> dict[str, Any]:
        if scale == "paper":
            return {"channels": 64, "blocks": 2, "stem": "imagenet"}
        return {"channels": 8, "blocks": 1, "stem": "cifar"}

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return self.network_defaults(scale)

"""Name -> message-passing layer, as in GraphNAS's cells and in NAS-Bench-Graph."""

from __future__ import annotations

from torch import nn

from nas.search_spaces.graph.arma_conv import ARMAConv
from nas.search_spaces.graph.cheb_conv import ChebConv
from nas.search_spaces.graph.fc import Linear, Skip, Zero
from nas.search_spaces.graph.gat_conv import GATConv
from nas.search_spaces.graph.gcn_conv import GCNConv
from nas.search_spaces.graph.gin_conv import GINConv
from nas.search_spaces.graph.graph_conv import GraphConv
from nas.search_spaces.graph.sage_conv import SAGEConv
from nas.search_spaces.graph.sg_conv import SGConv

LAYERS = {
    "gcn": GCNConv,
    "gin": GINConv,
    "cheb": ChebConv,
    "sage": SAGEConv,
    "arma": ARMAConv,
    "graph": GraphConv,
    "sg": SGConv,
    "fc": Linear,
    "linear": Linear,
}


def make_operation(name: str, channels: int) -> nn.Module:
    """Make one operation from [N, channels] to [N, channels].

    Args:
        name: Of `LAYERS`, or "gat" (2 heads), "gat_HEADS", "skip", "zero".
        channels: Features of a node.
    """
    if name.startswith("gat"):
        heads = int(name.partition("_")[2] or 2)
        return GATConv(channels, channels, heads)
    if name == "skip":
        return Skip()
    if name == "zero":
        return Zero()
    return LAYERS[name](channels, channels)

"""Tasks: data, loss and metric of one problem, with its splits already on a device.

What needs torch is imported when it is used: lists of data sources do without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.lazy import export_lazily
from nas.task.arrays import Labels, channel_statistics, check_labels
from nas.task.augment import Augmentation
from nas.task.device import check_memory, find_device, memory_size
from nas.task.division import Given
from nas.task.examples import Examples
from nas.task.graph import Graph, random_graph
from nas.task.info import KINDS, TaskInfo
from nas.task.scale import check_scale
from nas.task.splits import Indices, Splits

if TYPE_CHECKING:
    from nas.task.examples.graphs import GraphExamples
    from nas.task.examples.nodes import NodeExamples
    from nas.task.examples.tensors import TensorExamples
    from nas.task.judging import Output
    from nas.task.task import Input, Task
else:
    export_lazily(
        __name__,
        {
            "GraphExamples": "nas.task.examples.graphs",
            "Input": "nas.task.task",
            "NodeExamples": "nas.task.examples.nodes",
            "Output": "nas.task.judging",
            "Task": "nas.task.task",
            "TensorExamples": "nas.task.examples.tensors",
        },
    )

__all__ = [
    "KINDS", "Augmentation", "Examples", "Given", "Graph", "GraphExamples", "Indices", "Input",
    "Labels", "NodeExamples", "Output", "Splits", "Task", "TaskInfo", "TensorExamples",
    "channel_statistics", "check_labels", "check_memory", "check_scale", "find_device",
    "memory_size", "random_graph",
]  # fmt: skip

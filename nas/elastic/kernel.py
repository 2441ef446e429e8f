"""How large the kernel of a convolution is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn

from nas.elastic.kind import ElasticKind, require_sizes, require_zero_padding
from nas.elastic.layers import CONVOLUTIONS
from nas.errors import NasError

__all__ = ["ElasticKernel"]

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class ElasticKernel(ElasticKind):
    """The centre of a convolution's kernel (Cai et al., Once-for-All, arXiv:1908.09791, sec. 3.3).

    Without the kernel transformation matrices of that paper: a smaller kernel is the centre as is.
    Groups are kept, so that depthwise convolutions are served as others are.
    """

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        if not isinstance(module, _CONVS) or len(set(module.kernel_size)) > 1:
            raise NasError(
                "Elastic kernel_size needs one Conv2d with a square kernel, or a Conv1d or Conv3d "
                "of the same kind"
            )
        require_zero_padding("kernel_size", module)
        largest = module.kernel_size[0]
        require_sizes("kernel_size", sizes, largest)
        if any(size % 2 == 0 for size in (*sizes, largest)):
            raise NasError(f"Elastic kernel_size={tuple(sizes)}: odd sizes are needed")
        if module.padding != _padding(module, largest):
            raise NasError(
                f"Elastic kernel_size: padding {_padding(module, largest)} is needed so that "
                f"all sizes give one shape; the {type(module).__name__} has {module.padding}"
            )

    def run(self, module: nn.Module, size: int, *inputs: Any, **named: Any) -> Any:
        conv, [x] = cast("Conv", module), inputs
        [run] = [function for kind, function in CONVOLUTIONS.items() if isinstance(conv, kind)]
        weight, padding = _centre(conv, size), _padding(conv, size)
        return run(x, weight, conv.bias, conv.stride, padding, conv.dilation, conv.groups, **named)

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        small: Any = copy.deepcopy(module)
        small.kernel_size = (size,) * len(small.kernel_size)
        small.padding = _padding(small, size)
        small.weight = nn.Parameter(_centre(cast("Conv", module), size).detach().clone())
        plain: nn.Module = small
        return plain


def _padding(conv: Any, size: int) -> tuple[int, ...]:
    """Return the padding with which the output is as large as at every other size."""
    return tuple(dilation * (size // 2) for dilation in conv.dilation)


def _centre(conv: Conv, size: int) -> Tensor:
    weight = conv.weight
    for dimension in range(2, weight.ndim):
        start = (weight.shape[dimension] - size) // 2
        weight = weight.narrow(dimension, start, size)
    return weight

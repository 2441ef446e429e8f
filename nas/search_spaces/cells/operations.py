"""The operations of convolutional cells, in plain PyTorch.

Sources: DARTS (Liu et al., ICLR 2019, arXiv:1806.09055, sec. 3.1 and app. A), NAS-Bench-201 (Dong &
Yang, ICLR 2020, arXiv:2001.00326), partial channels: PC-DARTS (Xu et al., ICLR 2020,
arXiv:1907.05737). All take and give [B, C, H, W]; stride 2 halves H and W, rounding up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Zero(nn.Module):
    """The absent connection: zeros of the output's shape."""

    is_zero = True

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


class Pool(nn.Module):
    """3x3 pooling; with `norm` followed by batch norm without affine terms, as DARTS searches."""

    def __init__(self, kind: str, channels: int, stride: int, norm: bool) -> None:
        super().__init__()
        self.pool = (
            nn.MaxPool2d(3, stride, padding=1)
            if kind == "max"
            else nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        )
        self.norm = nn.BatchNorm2d(channels, affine=False) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.pool(x))


class ReLUConvBN(nn.Module):
    """ReLU, convolution, batch norm."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, stride: int = 1, affine: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(F.relu(x)))


class DilConv(nn.Module):
    """ReLU, depthwise convolution (dilated or not), pointwise convolution, batch norm."""

    def __init__(
        self, channels: int, kernel: int, stride: int, dilation: int = 2, affine: bool = True
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.depthwise = nn.Conv2d(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        )
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.pointwise(self.depthwise(F.relu(x))))


class SepConv(nn.Module):
    """Two depthwise-separable convolutions, the first with the stride."""

    def __init__(self, channels: int, kernel: int, stride: int, affine: bool = True) -> None:
        super().__init__()
        self.first = DilConv(channels, kernel, stride, dilation=1, affine=affine)
        self.second = DilConv(channels, kernel, 1, dilation=1, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class Conv7x1(nn.Module):
    """ReLU, 1x7 convolution, 7x1 convolution, batch norm."""

    def __init__(self, channels: int, stride: int, affine: bool = True) -> None:
        super().__init__()
        self.row = nn.Conv2d(channels, channels, (1, 7), (1, stride), (0, 3), bias=False)
        self.column = nn.Conv2d(channels, channels, (7, 1), (stride, 1), (3, 0), bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.column(self.row(F.relu(x))))


class FactorizedReduce(nn.Module):
    """Halve the resolution with two 1x1 convolutions of stride 2, one shifted by a pixel."""

    def __init__(self, c_in: int, c_out: int, affine: bool = True) -> None:
        super().__init__()
        self.even = nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(c_in, c_out - c_out // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]  # the padding only matters for odd sizes
        return self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))


class PartialChannels(nn.Module):
    """Run an operation on the first C/k channels and let the others pass (PC-DARTS, eq. 2).

    The results are interleaved (channel shuffle) so that the next partial operation sees others.
    """

    def __init__(self, op: nn.Module, channels: int, k: int, stride: int) -> None:
        super().__init__()
        self.op = op
        self.part = channels // k
        self.k = k
        self.bypass = nn.MaxPool2d(2, stride, ceil_mode=True) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.op(x[:, : self.part]), self.bypass(x[:, self.part :]))

    def join(self, done: Tensor, passed: Tensor) -> Tensor:
        """Interleave what the operation made of its channels with the others."""
        joined = torch.cat([done, passed], dim=1)
        b, c, h, w = joined.shape
        return joined.view(b, self.k, c // self.k, h, w).transpose(1, 2).reshape(b, c, h, w)


def make_operation(
    name: str, channels: int, stride: int, affine: bool = True, pool_norm: bool = False
) -> nn.Module:
    """Make an operation by its name in the papers.

    Args:
        name: Such as "sep_conv_3x3".
        channels: Of input and output.
        stride: 1 or 2.
        affine: Whether batch norm has scale and shift.
        pool_norm: Whether pooling is followed by batch norm.
    """
    kind, _, size = name.rpartition("_")
    kernel = int(size[0]) if size[0].isdigit() else 0
    if name == "none":
        return Zero(stride)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
    if kind in ("max_pool", "avg_pool"):
        return Pool(kind[:3], channels, stride, pool_norm)
    if kind == "sep_conv":
        return SepConv(channels, kernel, stride, affine)
    if kind == "dil_conv":
        return DilConv(channels, kernel, stride, affine=affine)
    if kind == "nor_conv":
        return ReLUConvBN(channels, channels, kernel, stride, affine)
    if name == "conv_7x1_1x7":
        return Conv7x1(channels, stride, affine)
    raise ValueError(f"unknown operation '{name}'")


def make_edge(
    name: str, channels: int, stride: int, affine: bool, pool_norm: bool, partial_channels: int
) -> nn.Module:
    """Make the operation of one edge, on a part of the channels where `partial_channels` > 1."""
    if partial_channels == 1:
        return make_operation(name, channels, stride, affine, pool_norm)
    op = make_operation(name, channels // partial_channels, stride, affine, pool_norm)
    return PartialChannels(op, channels, partial_channels, stride)


def drop_path(x: Tensor, probability: float) -> Tensor:
    """Drop whole examples of a batch with a probability, scaling up the rest (FractalNet)."""
    keep = 1.0 - probability
    mask = torch.empty(x.shape[0], 1, 1, 1, device=x.device, dtype=x.dtype).bernoulli_(keep)
    return x / keep * mask

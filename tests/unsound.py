"""A network of a user some of whose candidates do not work."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from nas.mutables import OneOf

__all__ = ["NotANumber", "PartlySound", "Raises"]


class Raises(nn.Linear):
    """Has no memory left."""

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("CUDA out of memory.")


class NotANumber(nn.Linear):
    """Gives NaN."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float("nan")


class PartlySound(nn.Module):
    """Two choices: the first among a linear layer and others, the second among activations.

    Args:
        others: Name -> class, made like `nn.Linear`.
    """

    def __init__(self, others: Mapping[str, type[nn.Linear]]) -> None:
        super().__init__()
        kinds = {"good": nn.Linear, "raises": Raises, "nan": NotANumber, **others}
        self.first = OneOf({name: kind(192, 8) for name, kind in kinds.items()}, label="first")
        self.norm = nn.BatchNorm1d(8)
        self.second = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="second")
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.second(self.norm(self.first(x.flatten(1)))))
        return output

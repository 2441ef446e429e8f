"""Text as bytes, for networks that say which byte comes next."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.data.source import DataSettings, Request, data_source
from nas.errors import NasError
from nas.settings import require_ranges, setting
from nas.task import Examples, Given, Indices, Labels, Splits, TaskInfo, check_memory, find_device

if TYPE_CHECKING:
    from torch import Tensor

    from nas.task import Task

__all__ = ["TextSettings", "given_text"]

VOCABULARY = 256


@dataclass(frozen=True)
class TextSettings(DataSettings):
    """Settings of sources of text."""

    context: int = setting(64, "bytes of one example")
    test_fraction: float = setting(0.1, "share of the text, at its end, for the test split")

    def __post_init__(self) -> None:
        ranges: dict[str, tuple[bool, str]] = {
            "context": (self.context >= 1, "at least 1"),
            "test_fraction": (0 < self.test_fraction < 1, "between 0 and 1"),
        }
        require_ranges(self, "data", ranges)


@data_source(
    "text",
    "text:PATH, any file as bytes: which byte comes next",
    argument="PATH",
    settings=TextSettings,
)
def text(request: Request) -> Task:
    """Load a file as bytes, whatever its encoding.

    Raises:
        NasError: For a file that is missing or too short.
    """
    assert isinstance(request.settings, TextSettings)
    try:
        size = request.path.stat().st_size
        check_memory(str(request.path), 3 * size, find_device("cpu"))
        found = request.path.read_bytes()
    except OSError as error:
        raise NasError(f"{request.path}: cannot be read ({error.strerror})") from error
    return request.given_task(given_text(found, request.settings, request.spec))


def given_text(content: bytes, settings: TextSettings, name: str) -> Given:
    """Offer windows of a text, one after the other, without overlap.

    The last ones are for test; which of the others are for training and which for validation the
    seed decides.

    Args:
        content: The text.
        settings: Length of the windows, and how many are for test.
        name: Of the data, for messages.

    Raises:
        NasError: For a text too short to divide.
    """
    length = settings.context
    data = np.frombuffer(content, np.uint8)
    count = max(0, len(data) - 1) // length
    tests = max(1, round(count * settings.test_fraction))
    if count - tests < 2:
        raise NasError(
            f"{name}: {len(data)} bytes are too few; expected at least {3 * length + 1} for "
            f"windows of {length}"
        )

    def windows(order: Indices, shift: int) -> NDArray[Any]:
        return data[shift : shift + count * length].reshape(count, length)[order]

    def examples(splits: Splits) -> Examples:
        import torch

        from nas.task import TensorExamples

        return TensorExamples(torch.from_numpy(windows(splits.order(), 0)))

    def targets(order: Indices) -> Tensor:
        import torch

        return torch.from_numpy(windows(order, 1))

    alike = np.zeros(count, np.int64)  # nothing to stratify by
    return Given(
        Labels(alike[tests:], alike[:tests], tuple(map(str, range(VOCABULARY)))),
        examples,
        info=TaskInfo((length,), VOCABULARY, "tokens", vocabulary=VOCABULARY),
        targets=targets,
        statistics=None,
        facts={
            "test_fraction": settings.test_fraction,
            "content_sha256": hashlib.sha256(content).hexdigest(),
        },
    )

"""scikit-learn's digits: 1,797 handwritten digits, 8x8 pixels, embedded in the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.data.source import Request, data_source
from nas.errors import NasError
from nas.task import Augmentation

if TYPE_CHECKING:
    from nas.task import Task


@data_source("digits", "scikit-learn's digits, 8x8, 1 channel, 10 classes, nothing to download")
def digits(request: Request) -> Task:
    """Load the digits; a fifth of them, always the same ones, is the test split."""
    found = load("digits")
    return request.task(found.images, found.target, augmentation=Augmentation(crop_padding=1))


def load(name: str) -> Any:
    """Return scikit-learn's digits for a source of a name: `data`, `images` and `target`."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise NasError(f"data '{name}' needs scikit-learn: pip install scikit-learn") from error
    return load_digits()

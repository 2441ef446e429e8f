"""What readers check, so that every refusal is one line that names the file and the place in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError
from nas.space import Choices, SearchSpace

__all__ = ["naming", "parse_architectures", "require_numbers"]

Where = Callable[[int], str]
"""Row -> where it stands in the file, such as "line 12"."""


@contextmanager
def naming(path: Path, what: str) -> Iterator[None]:
    """Turn whatever goes wrong inside the block into one line that begins with the file's name.

    Args:
        path: The file.
        what: What it should be, such as "table of NAS-Bench-Macro".

    Raises:
        NasError: For any exception.
    """
    try:
        yield
    except FileNotFoundError:
        raise NasError(f"{path}: there is no such file") from None
    except NasError as error:
        raise NasError(f"{path}: {error}") from error
    except Exception as error:  # a damaged file can make a decoder raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        message = f"{path}: not a whole {what} ({reason:.120}); it may be truncated or damaged"
        raise NasError(message) from error


def parse_architectures(space: str, texts: Sequence[str], where: Where) -> Choices:
    """Turn texts in a space's notation into a population, [n, number of decisions].

    Args:
        space: Its name.
        texts: One architecture each.
        where: For messages.

    Raises:
        NasError: For a text that is no architecture, or one that is there twice.
    """
    made: SearchSpace = registry.get("search_spaces", space).factory()
    seen: dict[tuple[int, ...], int] = {}
    for row, text in enumerate(texts):
        try:
            choices = made.parse(text).choices
        except NasError as error:
            raise NasError(f"{where(row)}: {error}") from error
        if choices in seen:
            before = where(seen[choices])
            raise NasError(f"{where(row)}: architecture '{text:.80}' is there twice, also {before}")
        seen[choices] = row
    return np.array(list(seen), dtype=np.int64).reshape(len(seen), len(made.decisions))


def require_numbers(arrays: Mapping[str, NDArray[Any]], where: Where) -> None:
    """Raise `NasError` for a column that is infinite somewhere, or has no number at all.

    Args:
        arrays: Column -> [n] or [n, seeds]; NaN stands for a number that is missing.
        where: For messages.
    """
    for name, array in arrays.items():
        if np.isnan(array).all():
            raise NasError(f"column '{name}' has no number at all")
        strays = np.isinf(array).reshape(len(array), -1).any(1)
        if strays.any():
            raise NasError(f"{where(int(strays.argmax()))}: '{name}' is infinite")

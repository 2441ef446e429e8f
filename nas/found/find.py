"""From what a user wrote to an architecture: a run, a file, a published name, a notation."""

from __future__ import annotations

from pathlib import Path

from nas import registry
from nas.errors import NasError, nearest
from nas.run import Found, Run
from nas.search_spaces import resolve_space
from nas.space import Architecture, SearchSpace

__all__ = ["find"]


def find(source: str | Path, space: str | None = None) -> Found:
    """Find an architecture by what a user wrote.

    Args:
        source: A run folder; a file with an architecture (JSON, or text in a space's notation); a
            published name such as "DARTS_V2"; or text in a space's notation.
        space: The name of the space; None tries all.

    Raises:
        NasError: If it is none of these; it says what the nearest would be.
    """
    text = str(source)
    path = Path(text)
    if _exists(path):
        return _from_folder(path) if path.is_dir() else _from_file(path, space)
    return _from_name(text, space)


def _from_name(text: str, space: str | None) -> Found:
    """Find a published name, or parse a text."""
    spaces = [space] if space else list(registry.names("search_spaces"))
    candidates = [resolve_space(name) for name in spaces]
    for candidate in candidates:
        if text in candidate.catalogue():
            return Found(candidate, candidate.catalogue()[text], text)
    return _from_text(text, candidates)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a genotype is longer than a file name may be
        return False


def _from_folder(folder: Path) -> Found:
    return Run(folder).best


def _from_file(file: Path, space: str | None) -> Found:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NasError(f"{file} cannot be read: {error}") from error
    if not text:
        raise NasError(f"{file} is empty; expected an architecture")
    if not text.startswith("{"):
        return _from_name(text, space)
    architecture = Architecture.from_json(text)
    owner = resolve_space(space or architecture.space)
    return Found(owner, owner.require(architecture), file.name)


def _from_text(text: str, spaces: list[SearchSpace]) -> Found:
    """Parse a text in the notation of some space."""
    reasons = []
    for space in spaces:
        try:
            return Found(space, space.parse(text), space.name)
        except NasError as error:
            reasons.append(f"{space.name}: {error}")
    if any(mark in text for mark in "(|="):
        likely = [r for r in reasons if ("Genotype" in text) == r.startswith(("darts", "nasnet"))]
        raise NasError("not an architecture of any space; " + "; ".join(likely or reasons))
    names = [name for space in spaces for name in space.catalogue()]
    guess = nearest(text, names)
    hint = f" Did you mean '{guess}'?" if guess else ""
    raise NasError(
        f"'{text}' is no run folder, file, genotype or published architecture.{hint} "
        f"Published: {', '.join(names)}."
    )

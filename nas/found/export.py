"""What `nas export` does: an architecture from wherever it is named, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas.errors import unknown
from nas.export import FORMATS, SUFFIXES, export
from nas.found.find import find
from nas.run import Found
from nas.task import TaskInfo

__all__ = ["export_found"]

_TEXTS = ("json", "genotype")


def export_found(
    source: str,
    to: str,
    space: str | None,
    out: Path | None,
    weights: str | None,
    data: str | None,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Export an architecture.

    Args:
        source: See `nas.found.find`.
        to: A format; see `nas.export.FORMATS`.
        space: The name of its space; None tries all.
        out: The file; None is `RUN/export/network.*` or `NAME.*`.
        weights: "fresh", "inherited" or "trained"; None takes the best there are.
        data: The data whose shapes the network gets, for an architecture without a run.
        settings: Of the network, for fresh weights.

    Returns:
        "file" and, for networks, "weights" and "network" settings.
    """
    if to not in FORMATS:
        raise unknown("export format", to, FORMATS)
    found = find(source, space)
    file = out or _default_file(found, to)
    names = {"space": found.space, "architecture": found.architecture}
    if to in _TEXTS:
        return {"file": str(export(None, (), to, file, **names))}  # type: ignore[arg-type]
    weights = weights or ("fresh" if settings else _best_weights(found))
    info = _shapes(found, data)
    if weights == "fresh" and found.run is None:
        settings = found.space.network_defaults("paper") | settings
    network = found.build(weights, info if weights == "fresh" else None, **settings)
    written = export(network, info, to, file, **names)  # type: ignore[arg-type]
    return {"file": str(written), "weights": weights}


def _default_file(found: Found, to: str) -> Path:
    if found.run is None:
        return Path(found.name).with_suffix(SUFFIXES[to])
    folder = found.run.folder / "export"
    folder.mkdir(exist_ok=True)
    return folder / f"network{SUFFIXES[to]}"


def _best_weights(found: Found) -> str:
    if found.run is None:
        return "fresh"
    if (found.run.folder / "train" / "result.json").exists():
        return "trained"
    return "inherited" if found.run.read_best().get("weights") else "fresh"


def _shapes(found: Found, data: str | None) -> TaskInfo:
    from nas.found.show import usual_info

    if data is not None:
        from nas.data import load_task

        return load_task(data).info
    return found.run.info if found.run is not None else usual_info(found.space)

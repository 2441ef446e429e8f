"""The report of a run: one HTML file that a browser opens anywhere, with nothing to load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import NasError
from nas.reporting.architecture import architecture_section
from nas.reporting.epochs import phase_sections
from nas.reporting.front import front_chart, front_section
from nas.reporting.heading import heading, title_of, warnings_section
from nas.reporting.markup import section
from nas.reporting.page import page
from nas.reporting.ranking import found, front, objective_of
from nas.reporting.records import read_run
from nas.reporting.reranking import reranking_section
from nas.reporting.settings import settings_section
from nas.reporting.trials import trials_section
from nas.storage import atomic

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["draw_front", "write_report"]


def write_report(folder: Path, *, graph: nx.DiGraph[Any] | None = None) -> Path:
    """Write `report.html` into a run's folder from what the run has recorded so far.

    Args:
        folder: The run's folder. `config.json`, `log.jsonl` and `best.json` are read; any of
            them may be missing, and the log may end in the middle of a line.
        graph: The found architecture as `SearchSpace.graph` returns it, to be drawn.

    Returns:
        The path of the report. It needs no other file and no network.

    Raises:
        NasError: The folder does not exist or cannot be written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NasError(f"cannot report on '{folder}': there is no such folder.")
    path = folder / "report.html"
    text = _report(folder, graph)
    with atomic(path) as stream:
        stream.write(text.encode())
    return path


def draw_front(folder: Path) -> Path | None:
    """Draw the trials and the Pareto front of a run for several metrics into `front.png`.

    Args:
        folder: The run's folder.

    Returns:
        The path of the picture; None, and no file, where the run has one metric or no result.
    """
    run = read_run(Path(folder))
    if len(objective_of(run).goals) < 2 or not front(run):
        return None
    path = Path(folder) / "front.png"
    with atomic(path) as stream:
        front_chart(run).savefig(stream, format="png", dpi=200)
    return path


def _report(folder: Path, graph: nx.DiGraph[Any] | None) -> str:
    run = read_run(folder)
    best, title = found(run), title_of(run.config, folder)
    sections = (
        warnings_section(run)
        + architecture_section(best, graph)
        + front_section(run)
        + reranking_section(run)
        + phase_sections(run.events)
        + trials_section(run)
        + settings_section(run.config)
    )
    if not sections:
        sections = section("Nothing yet", "<p>The run has recorded nothing so far.</p>")
    return page(title, heading(title, run, best) + sections)

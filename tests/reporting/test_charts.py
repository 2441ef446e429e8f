"""Charts: their axes, and SVG that belongs in a page."""

from __future__ import annotations

import re

import pytest

from nas.drawing import COLOURS, EDGE, INK, PAPER, STATE
from nas.reporting.charts import TRAIN, chart, dark_of, in_percent, svg


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("accuracy", (0.2, 0.8), "50 %"),
        ("valid accuracy", (0.49, 0.51), "50.0 %"),
        ("accuracy", (0.4995, 0.5005), "50.00 %"),
    ],
)
def test_an_accuracy_is_in_percent(name: str, values: tuple[float, float], text: str) -> None:
    _, axes = chart(name, "epoch")
    axes.plot(values)
    in_percent(axes, name)
    assert axes.yaxis.get_major_formatter()(0.5) == text


@pytest.mark.parametrize("spread", [0.003, 0.02, 0.07, 0.19, 0.6])
def test_labels_in_percent_say_where_their_ticks_are(spread: float) -> None:
    _, axes = chart("accuracy", "epoch")
    axes.plot((0.5 - spread / 2, 0.5 + spread / 2))
    in_percent(axes, "accuracy")
    show = axes.yaxis.get_major_formatter()
    ticks = axes.yaxis.get_majorticklocs()
    assert len(ticks) > 2
    for tick in ticks:
        assert float(show(tick).removesuffix(" %")) == pytest.approx(100 * tick, abs=1e-9)


@pytest.mark.parametrize(("name", "top"), [("loss", 1.0), ("accuracy", 95.0)])
def test_other_values_are_not(name: str, top: float) -> None:
    _, axes = chart(name, "epoch")
    axes.plot((0, top))
    in_percent(axes, name)
    assert "%" not in axes.yaxis.get_major_formatter()(0.5)


def test_svg_is_the_same_each_time_and_named_by_its_prefix() -> None:
    def drawn(prefix: str) -> str:
        figure, axes = chart("$x_{<", "epoch")
        axes.plot((0, 1), color=TRAIN)
        return svg(figure, "a < b", prefix)

    image = drawn("one")
    assert image == drawn("one") == drawn("two").replace("two-", "one-")
    assert image.startswith('<svg role="img" aria-label="a &lt; b"')
    ids = re.findall(r'\bid="([^"]*)"', image)
    assert ids and all(name.startswith("one-") for name in ids)
    assert f"var(--c{TRAIN[1:]})" in image and TRAIN not in image


def test_dark_paper_changes_every_colour() -> None:
    pairs = dark_of()
    assert {*COLOURS.values(), INK, EDGE, STATE, PAPER} <= {*pairs}
    assert all(light != dark for light, dark in pairs.items())

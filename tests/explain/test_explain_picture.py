"""What the figure of an explanation shows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from nas.errors import NasError
from nas.explain.explanation import Explanation, explain
from nas.explain.picture import figure_of
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import SearchSpace


def explained(space: SearchSpace, n: int = 40) -> Explanation:
    some = space.sample(np.random.default_rng(0), n)
    return explain(space, some, [float(sum(a.choices)) / 100 for a in some])


@pytest.mark.parametrize("make", [NASBench201, DARTS])
def test_bars_numbers_and_counts_are_the_effects(make: type[SearchSpace]) -> None:
    found = explained(make())
    drawing = figure_of(found, 3)
    shown = [*found.good[:3], *found.bad[:3]]
    bars = [patch for patch in drawing.artists if isinstance(patch, Rectangle)]
    widths = [bar.get_width() for bar in bars]
    most = max(abs(effect.change) for effect in shown)
    wanted = [abs(effect.change) / most * max(widths) for effect in shown]
    np.testing.assert_allclose(widths, wanted)
    words = [text.get_text() for text in drawing.texts]
    for effect in shown:
        assert found.shown(effect.change, signed=True) in words
        assert f"{effect.count} of 40" in words
    assert len(drawing.axes) == len(shown)


def test_nothing_lies_outside_or_over_another() -> None:
    drawing = figure_of(explained(DARTS()), 4)
    boxes = [axes.get_position() for axes in drawing.axes]
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= 1 and box.y1 <= 1
    for above, below in pairwise(boxes):
        assert below.y1 <= above.y0 + 1e-9


def test_nothing_to_draw_is_said() -> None:
    space = NASBench201()
    some = space.sample(np.random.default_rng(0), 10)
    with pytest.raises(NasError, match="nothing to draw"):
        figure_of(explain(space, some, [0.5] * 10))

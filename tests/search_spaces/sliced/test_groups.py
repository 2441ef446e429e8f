"""Messages about settings name the group that these were given for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from nas import registry
from nas.errors import NasError
from nas.search_spaces.resolve import resolve_space
from nas.search_spaces.sliced.groups import GroupSettings, fill_group
from nas.settings import require_ranges, setting
from nas.space import SearchSpace
from nas.task import TaskInfo

INFOS = {
    "examples": TaskInfo((3, 32, 32), 10),
    "table": TaskInfo((4,), 2, "table"),
    "tokens": TaskInfo((8,), 20, "tokens", vocabulary=20),
    "sequence": TaskInfo((8, 4), 2, "sequence"),
    "nodes": TaskInfo((5,), 3, "nodes"),
}
WITH_SETTINGS = {"darts", "gnn", "gnn-edges", "gnn-micro", "gnn-mp", "mobilenet", "moe",
                 "moe-sequence", "nas-bench-201", "nas-bench-graph", "nas-bench-macro",
                 "transnas-micro"}  # fmt: skip


@dataclass
class Sizes(GroupSettings):
    width: int = setting(1, "features")

    def __post_init__(self) -> None:
        require_ranges(self, self.group, {"width": (self.width > 0, "at least 1")})


@pytest.mark.parametrize("group", ["network", "supernet"])
def test_the_group_that_is_filled(group: str) -> None:
    with pytest.raises(NasError, match=f"^{group}.width=0: expected at least 1$"):
        fill_group(Sizes, {"width": 0}, group)
    with pytest.raises(NasError, match=f"^unknown setting of {group} 'with'"):
        fill_group(Sizes, {"with": 0}, group)
    found = fill_group(Sizes, {"width": 2}, group)
    assert isinstance(found, Sizes) and found == type(found)(2) and vars(found) == {"width": 2}


def settings_of_supernet(space: SearchSpace) -> list[str]:
    """Return the names of the settings of a supernet, as its own message lists them."""
    with pytest.raises(NasError) as error:
        space.supernet(INFOS[space.kind], nonsense=0)
    message = str(error.value)
    listed = re.fullmatch(r"unknown setting of supernet 'nonsense'.* Allowed: (.*)\.", message)
    return listed[1].split(", ") if listed else []


@pytest.mark.parametrize("name", registry.names("search_spaces"))
def test_a_wrong_setting_of_a_supernet_is_named(name: str) -> None:
    """-1 is in the range of none, nor of the right type for those that are no number."""
    space = resolve_space(name)
    settings = settings_of_supernet(space)
    assert bool(settings) == (name in WITH_SETTINGS)
    assert {*space.supernet_defaults("small")} <= {*settings}
    for setting_name in settings:
        with pytest.raises(NasError, match=rf"supernet\.{setting_name}\b") as error:
            space.supernet(INFOS[space.kind], **{setting_name: -1})
        assert "network." not in str(error.value)

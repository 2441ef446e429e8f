"""Settings that a network and a supernet have in common, with messages that name the right one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from nas.settings import fill

__all__ = ["GroupSettings", "fill_group"]


class GroupSettings:
    """The base of settings whose messages name the group that they are given for."""

    group: ClassVar[str] = "network"


T = TypeVar("T", bound=GroupSettings)


def fill_group(cls: type[T], values: Mapping[str, Any], group: str) -> T:
    """Make settings as `nas.settings.fill` does, in a group.

    Args:
        cls: A dataclass whose fields are the settings; it names `self.group` in its messages.
        values: Setting -> value.
        group: "network" or "supernet".

    Raises:
        NasError: For an unknown setting, or a value that is not allowed.
    """
    named: type[T] = type(cls.__name__, (cls,), {"group": group})
    return fill(named, values, group)

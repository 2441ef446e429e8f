"""Search spaces: one space a file, or a folder where a family is large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.lazy import export_lazily
from nas.search_spaces.resolve import name_of, resolve_space, space_options, with_options

if TYPE_CHECKING:
    from nas.search_spaces.module import ModuleSpace
else:
    export_lazily(__name__, {"ModuleSpace": "nas.search_spaces.module"})

__all__ = ["ModuleSpace", "name_of", "resolve_space", "space_options", "with_options"]

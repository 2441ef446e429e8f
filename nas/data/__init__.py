"""Where data come from: `name` or `name:argument` -> a task whose data lie on a device."""

from __future__ import annotations

from nas.data.load import absolute, data_names, load_data, load_task

__all__ = ["absolute", "data_names", "load_data", "load_task"]

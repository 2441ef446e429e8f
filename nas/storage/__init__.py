"""Files that survive a kill: checkpoints, weights, folders of unfinished work."""

from __future__ import annotations

from nas.storage.checkpoint import (
    atomic,
    leftovers,
    load_checkpoint,
    restoring,
    save_checkpoint,
    seed_everything,
    seed_of,
    write_json,
)  # fmt: skip
from nas.storage.lock import locked
from nas.storage.pace import SavePace
from nas.storage.weights import load_weights, save_weights
from nas.storage.work_folder import open_folder

__all__ = [
    "SavePace", "atomic", "leftovers", "load_checkpoint", "load_weights", "locked", "open_folder",
    "restoring", "save_checkpoint", "save_weights", "seed_everything", "seed_of", "write_json",
]  # fmt: skip

"""Errors that a user caused and can mend: one clear line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["NasError", "nearest", "unknown"]


class NasError(Exception):
    """Bad input: the message says what was wrong, where, and what is allowed.

    The command line prints the message alone and ends with exit status 2.
    """


def nearest(name: str, options: Iterable[str]) -> str | None:
    """Return the option most like `name`, or None if none is similar."""
    folded = {option.lower(): option for option in options}
    found = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def unknown(what: str, name: str, options: Iterable[str]) -> NasError:
    """Build the error for an unknown name, with the nearest match and all that is allowed.

    Args:
        what: The kind of thing that was named, such as `"strategy"`.
        name: What the user wrote.
        options: The names that exist.
    """
    options = sorted(options)
    guess = nearest(name, options)
    hint = f" Did you mean '{guess}'?" if guess else ""
    return NasError(f"unknown {what} '{name:.80}'.{hint} Allowed: {', '.join(options) or 'none'}.")

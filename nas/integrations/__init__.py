"""Bridges to other libraries."""

from __future__ import annotations

from nas.integrations.optuna_sampler import as_optuna_sampler, suggest

__all__ = ["as_optuna_sampler", "suggest"]

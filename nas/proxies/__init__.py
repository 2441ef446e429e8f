"""Zero-cost proxies: what an untrained network tells of how well it will train."""

from __future__ import annotations

from nas.proxies.proxy import Proxy, finite
from nas.proxies.reference import Reference

__all__ = ["Proxy", "Reference", "finite"]

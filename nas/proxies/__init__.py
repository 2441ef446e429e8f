"""Zero-cost proxies: what an untrained network tells of how well it will train."""

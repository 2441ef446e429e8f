"""Routers, one a file."""

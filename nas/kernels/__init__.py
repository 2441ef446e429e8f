"""Kernels over architectures' graphs, and regression with them."""

"""The quantised-linear design space of RegNets, and its networks."""

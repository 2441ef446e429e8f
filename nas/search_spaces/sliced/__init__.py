"""What supernets share that run the first features, the centre of a kernel, the first blocks."""

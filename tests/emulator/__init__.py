"""A stand-in for a CUDA card: kernels compiled for the CPU, and what of cupy launches them."""

"""kmaint keeps the GPU kernels of LLM serving frameworks fast and right."""

__version__ = "0.1.0"

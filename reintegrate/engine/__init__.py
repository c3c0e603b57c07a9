"""A patch in a running engine: two copies of one installation that differ in nothing else, measured in turns."""

from reintegrate.engine.benching import bench_engine
from reintegrate.engine.overlay import Installed, find_installed
from reintegrate.engine.ratios import mean_of, result
from reintegrate.engine.starting import Serving

__all__ = ["Installed", "Serving", "bench_engine", "find_installed", "mean_of", "result"]

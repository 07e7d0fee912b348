"""The room: what takes things off the shelves (collectors, detectors, rules …) and makes them work together."""

__version__ = "0.1.0"

"""Undercroft: a complete backend in one Python package."""

__version__ = "0.1.0"

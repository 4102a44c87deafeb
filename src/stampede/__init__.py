"""Stamps out ML inference services from one template and keeps them current."""

from importlib.metadata import version

__version__ = version("stampede")

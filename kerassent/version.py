"""The one place that knows kerassent's version."""

__version__ = "0.1.0"

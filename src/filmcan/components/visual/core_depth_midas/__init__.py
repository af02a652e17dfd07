"""Relative depth of sampled frames; see `component.py`."""

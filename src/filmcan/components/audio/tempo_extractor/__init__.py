"""Tempo, its alternatives, its course over time, and onsets; see `component.py`."""

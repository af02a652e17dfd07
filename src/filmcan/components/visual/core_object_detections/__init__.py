"""Objects in sampled frames; see `component.py`."""

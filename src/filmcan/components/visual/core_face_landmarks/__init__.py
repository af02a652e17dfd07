"""Faces in sampled frames and landmarks on them; see `component.py`."""

"""CLAP embedding of the sound; see `component.py`."""

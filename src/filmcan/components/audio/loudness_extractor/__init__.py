"""Loudness after EBU R 128, true peak, level and silence; see `component.py`."""

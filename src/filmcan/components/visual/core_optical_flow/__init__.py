"""Dense optical flow, camera motion and residual motion; see `component.py`."""

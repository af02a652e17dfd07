"""CLIP embeddings of sampled frames and their agreement with text prompts; see `component.py`."""

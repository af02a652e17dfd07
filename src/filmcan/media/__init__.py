"""Sources: probed, decoded once, sampled; the text that comes with them."""

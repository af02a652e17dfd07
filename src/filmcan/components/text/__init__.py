"""Components of kind text."""

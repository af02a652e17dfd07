"""Components of kind audio."""

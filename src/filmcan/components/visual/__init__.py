"""Components of kind core: they look at frames."""

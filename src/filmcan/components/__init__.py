"""What measures: one folder per component, and what all components share."""

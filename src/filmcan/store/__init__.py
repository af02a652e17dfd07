"""Where runs are kept: backends behind one protocol, runs written and read."""

"""What an artifact, a manifest and a schema are: pure records and rules, no I/O, no clocks."""

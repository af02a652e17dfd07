"""The command line: one thin face over `operations`."""

"""One file per kind of thing asked for; each parses, calls one operation, and answers."""

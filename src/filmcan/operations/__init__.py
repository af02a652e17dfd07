"""The verbs that the command line and the server call: plain functions, typed results."""

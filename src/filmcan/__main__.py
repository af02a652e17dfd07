"""`python -m filmcan` is the command line."""

from filmcan.cli.main import main

main()

"""The command line with a component that dies, hangs or eats memory on the clips made for it."""

from filmcan.cli.main import main
from filmcan.testing.made_batches import install_poison

install_poison()  # in the workers too: they import this file

if __name__ == "__main__":
    main()

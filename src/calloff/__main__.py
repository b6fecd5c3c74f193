"""Run the command line as ``python -m calloff``."""

from calloff.cli import main

main()

"""Run the command line as ``python -m calloff.cli``."""

from calloff.cli import main

main()

"""`python -m dse`, the same as the script `dse`."""

from dse.cli import command

command()

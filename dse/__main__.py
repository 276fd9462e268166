"""`python -m dse`, as the script `dse`."""

from dse.cli import command

command()

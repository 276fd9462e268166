"""Entry point of `python -m dse.cli`."""

from dse.cli import command

command()

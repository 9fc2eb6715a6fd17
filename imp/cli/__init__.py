"""The command line: `imp`. Commands load when they are called, so that `imp --help` answers at once."""

from imp.cli.entry import main

__all__ = ["main"]

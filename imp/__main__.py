"""`python -m imp`: the same as the command `imp`."""

from imp.cli import main

main()

"""The program as a process, as the tests of the command line have it."""

from tests.cli.conftest import program

__all__ = ["program"]

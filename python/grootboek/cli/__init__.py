"""The command line: ``grootboek COMMAND``. One file for each family of commands."""


def main() -> None:
    """Entry point of the ``grootboek`` script."""
    import sys

    from grootboek.cli.app import run

    sys.exit(run(sys.argv[1:]))

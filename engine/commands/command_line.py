"""What every program of `scripts/` shares: one parser, one way to end. Imports the standard library alone."""

import argparse
import re
import sys
from collections.abc import Callable
from typing import NoReturn

from engine.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_MISTAKE,
    Interrupted,
    RunError,
    UserError,
    did_you_mean,
)
from engine.files import file_system_failure
from engine.render.escape import printable


class Parser(argparse.ArgumentParser):
    """An argument parser whose help shows examples and whose errors name the nearest flag."""

    def __init__(self, script: str, description: str, examples: str):
        super().__init__(
            prog=f'scripts/{script}',
            description=description,
            epilog=f'examples:\n{examples}',
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def add_gin_arguments(self) -> None:
        """Adds `--gin_file` and `--gin_bindings`, both repeatable."""
        self.add_argument(
            '--gin_file', action='append', default=[], metavar='FILE', help='a Gin config; later files win'
        )
        self.add_argument(
            '--gin_bindings',
            action='append',
            default=[],
            metavar='BINDING',
            help="one Gin statement, such as 'STEPS = 100'; bindings win over files",
        )

    def error(self, message: str) -> NoReturn:
        """Raises `UserError` instead of printing the whole usage; unknown flags get the nearest one."""
        unknown = re.search(r'unrecognized arguments: (--\w[\w-]*)', message)
        hint = ''
        if unknown:
            flags = [flag for flag in self._option_string_actions if flag.startswith('--')]
            hint = ' ' + did_you_mean(unknown[1], flags)
        raise UserError(f'{message}.{hint} See {self.prog} --help.')


def run(main: Callable[[argparse.Namespace], int], parser: Parser) -> NoReturn:
    """Parses the command line, calls `main` and leaves with its exit code.

    A user's mistake ends with one message and code 2, trouble with files likewise and 1, a signal with 75.
    """
    try:
        code = main(parser.parse_args())
    except (UserError, RunError) as error:
        sys.stdout.flush()
        print(f'error: {printable(str(error))}', file=sys.stderr)
        code = EXIT_MISTAKE if isinstance(error, UserError) else EXIT_FAILED
    except OSError as error:
        failure = file_system_failure(error)
        if not failure:
            raise
        print(f'error: {failure}.', file=sys.stderr)
        code = EXIT_FAILED
    except (Interrupted, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    sys.exit(code)

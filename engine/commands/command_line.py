"""What every program of `scripts/` shares: one parser, one way to end. Imports the standard library alone."""

import argparse
import errno
import re
import sys
from collections.abc import Callable
from typing import NoReturn

from engine.errors import FAILED, INTERRUPTED, MISTAKE, Interrupted, RunError, UserError, did_you_mean
from engine.render.escape import printable

# What is wrong with a file system, and not with a program.
TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}


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
        code = MISTAKE if isinstance(error, UserError) else FAILED
    except OSError as error:
        if error.errno not in TROUBLE:
            raise
        print(f'error: the file system fails: {error.strerror} ({error.filename}).', file=sys.stderr)
        code = FAILED
    except (Interrupted, KeyboardInterrupt):
        code = INTERRUPTED
    sys.exit(code)

"""The parser and the exit codes that all programs of `scripts/` share.

This module and its imports need the standard library alone.
"""

import argparse
import difflib
import json
import math
import re
import signal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import nullcontext
from typing import Any, NoReturn

from engine.commands import binding_arguments, streams
from engine.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_MISTAKE,
    Interrupted,
    RunError,
    UserError,
    did_you_mean,
    memory_failure,
    own_code_failure,
)
from engine.failures import file_system_failure
from engine.paths import check_workspace, expanded
from engine.render.escape import printable
from engine.runs.signals import die_of


class Parser(argparse.ArgumentParser):
    """An argument parser whose help shows examples and whose errors suggest the nearest flag.

    Args:
      script: the file in `scripts/`.
      description: what the program does.
      examples: command lines for the help, indented.
    """

    def __init__(self, script: str, description: str, examples: str):
        self._takes_bindings = False
        super().__init__(
            prog=f'scripts/{script}',
            description=description,
            epilog=f'examples:\n{examples}',
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def add_gin_arguments(self, after_flags: bool = False) -> None:
        """Adds `--gin_file` and `--gin_bindings`, both repeatable.

        Args:
          after_flags: whether the program takes bindings after the flags too, as `SEED=1`. One that takes
            paths does not.
        """
        self._takes_bindings = after_flags
        self.add_argument(
            '--gin_file', action='append', default=[], metavar='FILE', help='a Gin config; later files win'
        )
        self.add_argument(
            '--gin_bindings',
            action='append',
            default=[],
            metavar='BINDING',
            help="one Gin statement, such as 'STEPS = 100'; bindings win over files"
            + '. NAME=VALUE after the flags does the same' * after_flags,
        )
        self.add_trust_argument()

    def add_trust_argument(self) -> None:
        """Adds `--trust`, for a program that builds the config of a run."""
        self.add_argument(
            '--trust',
            action='store_true',
            help='accepts a run that this workspace did not make: shows what its config imports and calls, '
            'and records that you trust it',
        )

    def add_json_argument(self, what: str) -> None:
        """Adds `--json`, with which the program prints one JSON document, by `print_json`.

        `run` then sends all other text to stderr.

        Args:
          what: what the document holds, for the help.
        """
        self.add_argument(
            '--json',
            action='store_true',
            help=f'prints {what} as one JSON document; other text goes to stderr',
        )

    def check_flags(self, arguments: argparse.Namespace, commands: Mapping[str, Collection[str]]) -> None:
        """Raises `UserError` if a flag is given that does not belong to `arguments.command`.

        Args:
          arguments: the parsed command line.
          commands: those that take a flag, by the flag's name.
        """
        for flag, takers in commands.items():
            if getattr(arguments, flag) != self.get_default(flag) and arguments.command not in takers:
                known = ', '.join(sorted(takers))
                raise UserError(f'--{flag} belongs to {known}, not to {arguments.command}.')

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None
    ) -> argparse.Namespace:
        """Parses the command line. Bindings after the flags join those of `--gin_bindings`.

        Raises:
          UserError: an argument is wrong. The message says what to write.
        """
        args = [_at_home(argument) for argument in (sys.argv[1:] if args is None else args)]
        arguments, rest = self.parse_known_args(args)
        if rest and not self._takes_bindings:
            self.error(f'unrecognized arguments: {" ".join(rest)}')
        if rest and self._nearest_flag(rest[0]):
            self.error(f'unrecognized arguments: {rest[0]}')
        if rest:
            known = [argument for argument in args if argument not in rest]
            arguments.gin_bindings += binding_arguments.read(rest, known, self.prog, arguments.gin_file)
        return arguments

    def _nearest_flag(self, argument: str) -> str:
        """Returns the flag that an argument misspells; '' if it resembles none."""
        flags = [flag for flag in self._option_string_actions if flag.startswith('--')]
        close = difflib.get_close_matches(argument.partition('=')[0], flags, 1, cutoff=0.75)
        return next(iter(close), '')

    def error(self, message: str) -> NoReturn:
        """Raises `UserError` instead of printing the usage; suggests the nearest flag for an unknown one."""
        unknown = re.search(r'unrecognized arguments: (--\w[\w-]*)', message)
        hint = ''
        if unknown:
            flags = [flag for flag in self._option_string_actions if flag.startswith('--')]
            hint = ' ' + did_you_mean(unknown[1], flags)
        raise UserError(f'{message}.{hint} See {self.prog} --help.')


def _at_home(argument: str) -> str:
    """Returns an argument with the home folder in place of `~`: a shell does not see it after `--run=`."""
    flag = re.match(r'--\w+=', argument)
    start = flag.end() if flag else 0
    return argument[:start] + expanded(argument[start:])


def run(main: Callable[[argparse.Namespace], int], parser: Parser) -> NoReturn:
    """Parses the command line, calls `main` and exits with its code.

    A user's mistake prints one message and exits with 2, a failure of the run or the file system with 1. A
    training that a signal has stopped exits with 75. Ctrl-C ends the process by SIGINT, so that a loop of a
    shell ends too; output that nobody reads ends it by SIGPIPE. Any other exception keeps its traceback.
    """
    streams.prepare()
    try:
        code = _exit_code(main, parser)
    except SystemExit as ended:  # after --help
        code = int(ended.code or 0)
    except KeyboardInterrupt:
        die_of(signal.SIGINT)
    if failure := streams.flush():
        code = max(code, _exit_code_of_output(failure))
    sys.exit(code)


def print_json(document: object) -> None:
    """Prints the JSON document of a program with `--json`.

    Args:
      document: mappings, sequences, sets, texts, paths, numbers and arrays. A number that is not finite
        becomes null, and what JSON does not have becomes text.
    """
    print(json.dumps(_json_value(document), indent=2), file=streams.stdout(), flush=True)


def _json_value(value: Any) -> Any:
    if hasattr(value, 'tolist'):  # of NumPy
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, Mapping):
        return {str(name): _json_value(part) for name, part in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(map(_json_value, value))
    return [_json_value(part) for part in value] if isinstance(value, list | tuple) else str(value)


def _exit_code(main: Callable[[argparse.Namespace], int], parser: Parser) -> int:
    try:
        arguments = parser.parse_args()
        check_workspace()
        with streams.text_to_stderr() if getattr(arguments, 'json', False) else nullcontext():
            return main(arguments)
    except BrokenPipeError as error:
        return _exit_code_of_output(error)
    except UserError as error:
        _report(str(error))
        return EXIT_MISTAKE
    except RunError as error:
        _report(str(error))
    except Interrupted:
        return EXIT_INTERRUPTED
    except (Exception, SystemExit) as error:
        failure = _failure(error)
        if not failure:
            raise
        _report(failure)
    return EXIT_FAILED


def _failure(error: BaseException) -> str:
    """Describes a failure of the file system, of memory or of the user's own code; returns '' for others."""
    if isinstance(error, (OSError, RuntimeError)) and (failure := file_system_failure(error)):
        return f'{failure}.'
    return memory_failure(error) or own_code_failure(error)


def _exit_code_of_output(error: OSError) -> int:
    """Ends the program silently if nobody reads its output any more, as every program after `| head`."""
    if not isinstance(error, BrokenPipeError):
        _report(f'the output cannot be written: {error.strerror}.')
    elif streams.reader_is_gone():
        die_of(signal.SIGPIPE)
    else:
        raise error
    return EXIT_FAILED


def _report(message: str) -> None:
    streams.flush()
    try:
        print(f'error: {printable(message)}', file=sys.stderr, flush=True)
    except OSError:  # nobody can be told
        streams.discard(sys.stderr)

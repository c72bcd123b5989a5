"""Writes the page of a pipeline from what its steps wrote; `scripts/pipeline.sh` calls this last."""

import argparse
from pathlib import Path

from engine import errors, files
from engine.commands import command_line
from engine.evaluation.pages import pipeline_page
from engine.evaluation.pages.pipeline_folder import Pipeline

PAGE = 'report.html'
EXAMPLES = '  python -m engine.commands.pipeline_page <folder> <runs>... --split=test'


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('pipeline.sh', __doc__ or '', EXAMPLES)
    arguments.add_argument('folder', help='the folder of the pipeline')
    arguments.add_argument('runs', nargs='+', metavar='RUN', help='the run of each seed')
    arguments.add_argument('--split', default='test', help='the outputs that are compared')
    arguments.add_argument('--command', default='', help='what made the pipeline, for the foot of the page')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Writes the page; returns the exit code."""
    folder = Path(arguments.folder)
    pipeline = Pipeline(folder, [*map(Path, arguments.runs)], arguments.split)
    files.write_text(folder / PAGE, pipeline_page.page(pipeline, arguments.command))
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())

"""Copies the test outputs of pipelines to results/, and writes their comparison into README.md.

    python -m results.update workspace/pipelines/digits_cnn workspace/pipelines/digits_mlp

What evaluation does not need stays out: pictures and predictions.csv. A test evaluates the outputs again.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from engine import files
from engine.workspace import REPOSITORY

FOLDER, README = REPOSITORY / 'results', REPOSITORY / 'README.md'
OUTPUTS = Path('outputs', 'test')
LEFT_OUT = {'inputs': 'inputs.npy', '': 'predictions.csv'}  # the array, if it is one, and its file
COMMAND = ('results/digits_cnn', 'results/digits_mlp', '--columns=seeds,accuracy,log_loss,test')
START, END = '<!-- the comparison of results/: python -m results.update -->', '<!-- end of the comparison -->'
_BLOCK = re.compile(f'(?<={re.escape(START)}\n).*?(?={re.escape(END)})', re.DOTALL)


def keep(run: Path, target: Path) -> None:
    """Copies the config and the test outputs of a run."""
    shutil.rmtree(target, ignore_errors=True)
    (target / OUTPUTS).mkdir(parents=True)
    shutil.copyfile(run / 'config.gin', target / 'config.gin')
    manifest = files.read_json(run / OUTPUTS / 'manifest.json')
    for array, file in LEFT_OUT.items():
        manifest['arrays'].pop(array, None)
        manifest['files'].pop(file)
    for file in manifest['files']:
        shutil.copyfile(run / OUTPUTS / file, target / OUTPUTS / file)
    text = json.dumps(manifest, separators=(',', ':')) + '\n'
    (target / OUTPUTS / 'manifest.json').write_text(text, encoding='utf-8')


def comparison() -> str:
    """Returns what compare.sh prints of the results: a table in Markdown, and a note below it."""
    command = [sys.executable, '-m', 'engine.commands.compare', *COMMAND, *_rows()]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def _rows() -> list[str]:
    return [f'--rows={folder}/seed-0={Path(folder).name}' for folder in COMMAND[:2]]


def with_comparison(document: str, table: str) -> str:
    """Returns a document with the table between its two comments.

    Raises:
      ValueError: the document lacks the comments.
    """
    replaced, count = _BLOCK.subn(lambda _: f'\n{table}\n', document)
    if count != 1:
        raise ValueError(f'the document needs the lines {START} and {END}, once each.')
    return replaced


def main() -> None:
    """Copies the runs of the pipelines of the command line, and updates README.md."""
    for pipeline in map(Path, sys.argv[1:]):
        for run in sorted((pipeline / 'runs' / 'latest').iterdir()):
            keep(run, FOLDER / pipeline.name / run.name)
    files.write_text(README, with_comparison(README.read_text(encoding='utf-8'), comparison()))


if __name__ == '__main__':
    main()

"""Lists what the results of an experiment depend on, a line each: subject, name and value, with tabs between.

| subject      | lists                                                                                 |
|--------------|---------------------------------------------------------------------------------------|
| `config`     | each parameter, wherever its value comes from; observers change no result             |
| `code`       | each file that trains, with a digest; comments, docstrings and layout do not count    |
| `packages`   | each package that this code uses, and Python                                          |
| `flags`      | the flags of JAX and XLA that change numbers                                          |
| `data`       | the fingerprint of each dataset; files that order examples; the source of `init_from` |
| `originals`  | the original files of each dataset, by their paths, sizes and times                   |
| `checks`     | what `scripts/check.sh` adds: its files, and the exceptions that the config states    |
| `evaluation` | files and packages that evaluate and compare the outputs                              |
| `splits`     | what the training predicts when it ends                                               |

`scripts/pipeline.sh` compares these lines with those of the time before. The dataset is built if it is not.
"""

import argparse
import csv
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import errors
from engine.commands import command_line, streams
from engine.commands.command_line import Parser
from engine.errors import UserError
from engine.processes import devices

if TYPE_CHECKING:
    from engine.config.config import Config
    from engine.datasets.reading.dataset import Dataset
    from engine.training.trainer import Trainer

EXAMPLES = """\
  scripts/inputs.sh --gin_file=configs/digits_cnn.gin
  scripts/inputs.sh --gin_file=configs/digits_cnn.gin LEARNING_RATE=1e-3 --json
"""

Subjects = Mapping[str, Mapping[str, Any]]


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('inputs.sh', __doc__ or '', EXAMPLES)
    parser.add_gin_arguments(after_flags=True)
    parser.add_json_argument('the values by subject and name')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Builds the experiment, checks it on shapes, and prints what it depends on."""
    devices.import_jax()
    from engine.commands import experiments, trusted
    from engine.config.config import Config
    from engine.training.trainer import Trainer

    if not arguments.gin_file:
        raise UserError('nothing to list: pass --gin_file=configs/<name>.gin.')
    with nullcontext() if arguments.json else streams.text_to_stderr():
        experiments.set_up()
        trusted.check_configs(arguments.gin_file, arguments.trust)
        config = Config(arguments.gin_file, arguments.gin_bindings)
        trainer = experiments.build(config, Trainer)
        config.check()
        found = subjects(config, trainer, arguments.gin_file)
        if arguments.json:
            command_line.print_json(found)
        else:
            print(*lines(found), sep='\n', file=streams.stdout())
    return errors.EXIT_FINISHED


def lines(found: Subjects) -> Iterator[str]:
    """Yields subject, name and value, each in one line."""
    for subject, values in found.items():
        for name, value in values.items():
            yield '\t'.join((subject, _one_line(name), _one_line(value)))


def _one_line(value: object) -> str:
    return ' '.join(str(value).split())


def subjects(config: 'Config', trainer: 'Trainer', gin_files: list[str]) -> Subjects:
    """Returns the value of each name, by subject.

    Args:
      config: from which the experiment was built.
      trainer: the experiment.
      gin_files: the files of the config, whose headers state exceptions.
    """
    from engine.commands import experiments
    from engine.run_reader import settings

    present, datasets = experiments.environment(config, trainer), _datasets(trainer)
    code = present['code']
    stated = settings.changes('', config.text())
    return {
        'config': {name: value for name, (_, value) in stated.items()},
        'code': code['files'],
        'packages': {'python': present['python'], **present['packages']},
        'flags': present['flags'],
        'data': _data(trainer, datasets),
        'originals': {name: _originals(dataset) for name, dataset in datasets.items()},
        'checks': _checks(gin_files, code),
        'evaluation': _evaluation(trainer.description.kind),
        'splits': dict.fromkeys(trainer.predict, 'predicted'),
    }


def _datasets(trainer: 'Trainer') -> dict[str, 'Dataset']:
    """Returns the built datasets that are trained on and evaluated, by name."""
    from engine.datasets.catalogue.names import NO_DATASET

    used = (trainer.data, *trainer.validation.others().values())
    sources = (source for dataset in used for source in dataset.sources)
    return {source.name: source for source in sources if source.name != NO_DATASET}


def _data(trainer: 'Trainer', datasets: Mapping[str, 'Dataset']) -> dict[str, Any]:
    from engine.commands import experiments
    from engine.training import initialisation

    whole = experiments.run_data(trainer)
    return {
        **{name: dataset.fingerprint for name, dataset in datasets.items()},
        whole.name: whole.fingerprint,
        **whole.evaluated,
        **whole.order_files,
        **initialisation.record(trainer.init_from),
    }


def _originals(dataset: 'Dataset') -> str:
    """Returns a digest of the paths, sizes and times of a dataset's original files."""
    digest = hashlib.sha256()
    for split in dataset.splits:
        for path in _listed(dataset.lists / f'{split}.csv'):
            digest.update(f'{path} {_state(path)}\n'.encode('utf-8', 'surrogateescape'))
    return digest.hexdigest()[:16]


def _listed(file: Path) -> Iterator[Path]:
    """Yields the files in the list of a split, each once; none if the dataset has no lists."""
    if file.is_file():
        with file.open(newline='', encoding='utf-8') as rows:
            yield from map(Path, dict.fromkeys(row['path'] for row in csv.DictReader(rows)))


def _state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return 'missing'
    return f'{status.st_size} {status.st_mtime_ns}'


def _checks(gin_files: list[str], trained: Mapping[str, Any]) -> dict[str, str]:
    """Returns the files that check an experiment beside those that train it, and the stated exceptions."""
    from engine.checks import catalogue, exceptions
    from engine.runs.environment import code

    used = code.of(trained['modules'], program='engine.commands.check').files
    further = {name: digest for name, digest in used.items() if name not in trained['files']}
    stated = (exceptions.stated(Path(file), catalogue.ALL) for file in gin_files)
    return further | {f'exception {check}': reason for reasons in stated for check, reason in reasons.items()}


def _evaluation(kind: str) -> dict[str, str]:
    """Returns the files and the packages that evaluate and compare outputs of a kind."""
    from engine.runs.environment import code, packages

    kinds = (f'engine.kinds.{kind}.evaluate', f'research.kinds.{kind}.evaluate')
    used = code.of(['engine.commands.compare', *kinds], program='engine.commands.evaluate')
    return {**used.files, **packages.used(used.external)}


if __name__ == '__main__':
    command_line.run(main, parser())

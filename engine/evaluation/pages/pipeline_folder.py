"""The folder of a pipeline, as far as its steps have written it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import files
from engine.evaluation.results.metric import Definition, Metric

MAX_METRICS = 6  # of a table: the main ones come first

Values = Mapping[str, Any]  # of a JSON document


@dataclass(frozen=True)
class Pipeline:
    """The folder of a pipeline.

    Attributes:
      folder: the folder, `workspace/pipelines/<name>`.
      runs: the run of each seed.
      split: the outputs that are compared.
    """

    folder: Path
    runs: Sequence[Path]
    split: str

    def evaluations(self) -> dict[str, dict[Path, Values]]:
        """Returns the content of each metrics.json, by split and run; the compared split comes first."""
        found: dict[str, dict[Path, Values]] = {self.split: {}}
        for run in self.runs:
            for path in sorted((run / 'outputs').glob('*/evaluation/metrics.json')):
                found.setdefault(path.parts[-3], {})[run] = files.read_json(path)
        return {split: of_runs for split, of_runs in found.items() if of_runs}

    def comparison(self) -> Values:
        """Returns what compare.sh prints with --json; {} if it has not ended."""
        return files.read_json(self.folder / 'comparison.json')

    def findings(self) -> Mapping[str, Mapping[str, str]]:
        """Returns verdict, result and advice of each check of the experiment."""
        return files.read_json(self.folder / 'check' / 'findings.json').get('checks', {})

    def datasets(self) -> dict[str, str]:
        """Returns what the check of each dataset printed, by the name of its page without the suffix."""
        texts = sorted((self.folder / 'data').glob('*.txt'))
        return {path.stem: path.read_text(encoding='utf-8', errors='replace') for path in texts}

    def stamps(self) -> Iterator[tuple[str, str, int]]:
        """Yields each step that has ended: its name, when it ended, and the seconds that it took."""
        seeds = [run.name.rpartition('-')[2] for run in self.runs]
        of_each = [f'{step}-{seed}' for step in ('train', 'predict', 'evaluate') for seed in seeds]
        for name in ('data', 'check', *of_each, 'compare'):
            path = self.folder / 'stamps' / name
            first = path.read_text(encoding='utf-8').partition('\n')[0] if path.is_file() else ''
            if match := re.fullmatch(r'# (\S+) (\d+) s', first):
                yield name.replace('-', ', seed '), match[1], int(match[2])

    def parameters(self) -> list[list[str]]:
        """Returns name and value of each parameter of the experiment."""
        text = (self.folder / 'inputs.tsv').read_text(encoding='utf-8')
        rows = [line.split('\t') for line in text.splitlines()]
        return [row[1:] for row in rows if row[0] == 'config']


def main_metrics(evaluations: Sequence[Values]) -> list[str]:
    """Returns the names of the main metrics that all evaluations have, as metrics.json holds them."""
    first = evaluations[0]['metrics'] if evaluations else {}
    shared = (name for name in first if all(name in values['metrics'] for values in evaluations))
    return [name for name in shared if not first[name].get('group')][:MAX_METRICS]


def metric(name: str, values: Values) -> Metric:
    """Returns a metric of a metrics.json, or of a method in a comparison."""
    entry = values['metrics'][name]
    title = entry.get('title') or name.replace('_', ' ')
    meaning = Definition(title, entry['unit'], entry['direction'], '', '')
    return Metric(_number(entry['value']), [*map(_number, entry['interval'])], meaning)


def _number(value: float | None) -> float:
    return float('nan') if value is None else value

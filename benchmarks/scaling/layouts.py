"""The layouts of devices that `benchmarks.scaling` measures, each in a process of its own.

    JAX_NUM_CPU_DEVICES=8 python -m benchmarks.scaling.layouts pmap --pairs=15

The process trains by the template and by a loop written by hand, in turn, and prints a line of JSON.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.bare_training import BareTraining
from benchmarks.overhead import Case, measure, template, terminal
from benchmarks.scaling.bare import BarePMap, BareSharded
from engine.runs import json_lines

CONFIG, STEPS, BATCH_SIZE = 'digits_mlp', 100, 128
# PMap draws other masks than Jit, and without masks all layouts compute the same.
BINDINGS = ('mlp.MLP.dropout = 0.0',)


@dataclass(frozen=True)
class Layout:
    """A layout of devices.

    Attributes:
      devices: how many are simulated.
      bindings: that choose it.
      bare: makes the training written by hand.
    """

    devices: int
    bindings: tuple[str, ...]
    bare: Callable[..., BareTraining]

    def case(self, steps: int = STEPS, dataset: str = 'digits', batch_size: int = BATCH_SIZE) -> Case:
        """Returns the training by the template."""
        bindings = (*BINDINGS, *self.bindings)
        return Case(CONFIG, steps, 0, bindings, dataset=dataset, batch_size=batch_size)


LAYOUTS = {
    'one device': Layout(1, (), BareTraining),
    'jit': Layout(8, (), BareSharded),
    'fsdp=8': Layout(8, ('sharding.Jit.fsdp = 8',), partial(BareSharded, is_fsdp=True)),
    'pmap': Layout(8, ('trainer.Trainer.parallelism = @sharding.PMap()',), BarePMap),
}


def losses(run: Path) -> list[float]:
    """Returns the loss of each step of a run."""
    return [line['loss'] for line in json_lines.read(run / 'logs' / 'train.jsonl')]


def measured(layout: Layout, case: Case, pairs: int) -> dict[str, Any]:
    """Returns the losses of the template, and the seconds per step of both sides."""
    with tempfile.TemporaryDirectory() as folder:
        with terminal():
            template(case, Path(folder))
        of_template = losses(Path(folder) / 'run')
    trainings = measure(case, case.reference(layout.bare, dropout=0.0), pairs)
    return {
        'losses': of_template,
        'bare': [pair.bare[0] / case.steps for pair in trainings],
        'template': [pair.template.seconds / case.steps for pair in trainings],
    }


def main() -> None:
    """Measures one layout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('layout', choices=LAYOUTS)
    parser.add_argument('--pairs', type=int, required=True)
    arguments = parser.parse_args()
    layout = LAYOUTS[arguments.layout]
    print(json.dumps(measured(layout, layout.case(), arguments.pairs)))


if __name__ == '__main__':
    main()

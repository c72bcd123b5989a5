"""The model card of a release: README.md, with the six lines that run the model."""

import re
from collections.abc import Mapping
from typing import Any

from engine.render import table as tables
from engine.render.escape import markdown
from engine.render.table import Table
from engine.stored_trees.release_folder import METRICS, PROGRAM, RECORD, VARIABLES

# Source: https://docs.jax.dev/en/latest/export/export.html#compatibility-guarantees
PROMISE = """\
JAX promises that an export runs with versions of JAX up to 6 months newer than the one that made it, and up
to 3 weeks older. The dates at which these versions were built count, not the day of the export. See JAX's
[compatibility guarantees](https://docs.jax.dev/en/latest/export/export.html#compatibility-guarantees). Later
versions may read it too, but nothing promises it. `{variables}` has no such limit: with the code of the
commits below and `config.gin` it gives the same model, which can be exported again.
"""

_CARD = """\
# {name} {version}

{summary}

## Results

{results}

## Run it

This needs the packages `jax` and `flatbuffers` alone, and runs in this folder. The first axis of all inputs
is the batch, of any size.

```python
{code}```

{inputs}

{predictions}

## How long the export can be read

{promise}
## Origin

{origin}

`dataset.md`, if it is here, describes the data, their source and their licence. Check `checksums.txt` with
`sha256sum --check checksums.txt`.
"""


def lines(record: Mapping[str, Any]) -> str:
    """Returns the six lines of Python that run a release, in its folder.

    Args:
      record: the content of release.json.
    """
    inputs = ', '.join(
        f'{name!r}: np.zeros({(17, *field["shape"])}, {field["dtype"]!r})'
        for name, field in record['inputs'].items()
    )
    return f"""\
import json, pathlib, jax.export, jax.numpy as jnp, numpy as np{_WIDE if _is_wide(record) else ''}
load = lambda name: bytearray(pathlib.Path(name).read_bytes())
weights, arrays = load('{VARIABLES}'), json.loads(load('{RECORD}'))['variables']
variables = {{name: np.frombuffer(weights, jnp.dtype(a['dtype']), a['size'], a['offset'])\
.reshape(a['shape']) for name, a in arrays.items()}}
inputs = {{{inputs}}}  # any number of rows
predictions = jax.export.deserialize(load('{PROGRAM}')).call(variables, inputs)
"""


_WIDE = "; jax.config.update('jax_enable_x64', True)"


def _is_wide(record: Mapping[str, Any]) -> bool:
    """Whether JAX needs to be told to compute with 64 bits."""
    fields = [field for name in ('inputs', 'predictions', 'variables') for field in record[name].values()]
    return any('64' in field['dtype'] for field in fields)


def text(record: Mapping[str, Any], metrics: Mapping[str, Any], results: str) -> str:
    """Returns the model card.

    Args:
      record: the content of release.json.
      metrics: the content of metrics.json, {} if there are none.
      results: the table of metrics in Markdown.
    """
    promise = PROMISE.format(variables=VARIABLES)
    return _CARD.format(
        name=markdown(record['name']),
        version=markdown(record['version']),
        summary=_summary(record),
        results=_results(metrics, results),
        code=lines(record),
        inputs=_table('input', record['inputs']),
        predictions=_table('prediction', record['predictions']),
        promise=f'JAX {record["jax"]} made this one on {record["created"][:10]}, for '
        f'{", ".join(record["platforms"])}.\n{promise}',
        origin=_origin(record),
    )


def _summary(record: Mapping[str, Any]) -> str:
    classes = record['class_names']
    kind, dataset = markdown(record['kind']), markdown(_without_folders(record['dataset']))
    named = f' of {len(classes)} classes ({markdown(", ".join(classes[:20]))}{", ..." * (len(classes) > 20)})'
    return (
        f'A model for {kind}{named if classes else ""}, trained on {dataset}: '
        f'{record["parameters"]:,} parameters and statistics.'
    )


def _without_folders(dataset: str) -> str:
    """Returns the name of a dataset without the folders above it, which are those of this machine.

    >>> _without_folders('Mixture(images:../my photos/cats, text:/home/a/b.txt?length=8)')
    'Mixture(images:cats, text:b.txt?length=8)'
    """
    return re.sub(r"\b(images|text):(?:[^/,()?']*/)+(?=[^/,()?'])", r'\1:', dataset)


def _results(metrics: Mapping[str, Any], results: str) -> str:
    if not metrics:
        return 'The outputs have no labels, so nothing was measured.'
    return (
        f'On the {metrics["examples"]:,} examples of `{metrics["split"]}`, with intervals by '
        f'{metrics["bootstrap"]["resamples"]:,} bootstrap resamples. `{METRICS}` has definitions and '
        f'sources.\n\n{results.strip()}'
    )


def _table(title: str, fields: Mapping[str, Mapping[str, Any]]) -> str:
    shapes = {name: ', '.join(map(str, ('batch', *field['shape']))) for name, field in fields.items()}
    rows = [
        [name, field['dtype'], f'({shapes[name]})', field.get('meaning', '')]
        for name, field in fields.items()
    ]
    return tables.markdown(Table.of([title, 'dtype', 'shape', 'meaning'], rows)).strip()


def _origin(record: Mapping[str, Any]) -> str:
    rows = [
        ['project', record['project']],
        ['run', record['run']],
        ['checkpoint', f'{record["checkpoint"]}, step {record["step"]:,}'],
        ['commits', ', '.join(record['commits'])],
        ['dataset', f'{_without_folders(record["dataset"])}, sha256 {record["dataset_fingerprint"]}'],
        [
            'largest difference from the outputs of the run',
            f'{record["difference"]:.2g}; {record["tolerance"]:.2g} is allowed in {record["precision"]}',
        ],
    ]
    return tables.markdown(Table.of(['of', 'value'], rows)).strip()

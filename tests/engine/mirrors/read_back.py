"""Reads what a destination holds, by its own package: the numbers of each metric, with every repetition.

It runs in an environment with the packages of all destinations. The package under test wrote none of this.
"""

import importlib
import json
import struct
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Curves = dict[str, list[tuple[int, float]]]


def tensorboard(place: str) -> Curves:
    """Reads the events as TensorBoard does, without leaving any out."""
    module: Any = importlib.import_module('tensorboard.backend.event_processing.event_accumulator')
    [folder] = {path.parent for path in Path(place).rglob('*tfevents*')}
    accumulator = module.EventAccumulator(
        str(folder), size_guidance={'scalars': 0}, purge_orphaned_data=False
    )
    accumulator.Reload()
    tags = accumulator.Tags()['scalars']
    return {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in tags}


def mlflow(place: str) -> Curves:
    client: Any = importlib.import_module('mlflow.tracking').MlflowClient(f'sqlite:///{place}/mlflow.db')
    [experiment] = [found for found in client.search_experiments() if found.name != 'Default']
    [run] = client.search_runs([experiment.experiment_id])
    assert 'STEPS' in Path(client.download_artifacts(run.info.run_id, 'config.gin')).read_text()
    assert run.data.params['trainer.Trainer.steps'] == '20'
    assert run.info.status in ('FINISHED', 'RUNNING', 'KILLED')
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {name: [(entry.step, entry.value) for entry in entries] for name, entries in histories.items()}


def visdom(place: str) -> Curves:
    """Reads all windows of all environments of the server."""
    address, port = place.rsplit(':', 1)
    module: Any = importlib.import_module('visdom')
    client = module.Visdom(address, port=int(port), use_incoming_socket=False, raise_exceptions=True)
    with urllib.request.urlopen(f'{place}/env_state', data=b'{}') as response:
        [environment] = set(json.load(response)) - {'main'}
    curves = {}
    for name, window in json.loads(client.get_window_data(env=environment)).items():
        if window['type'] == 'text':
            assert 'STEPS' in window['content']
            continue
        for line in window['content']['data']:
            metric = name.removeprefix('metric:')
            tag = metric if line['name'] == 'performance' else f'{line["name"]}/{metric}'
            assert tag not in curves
            curves[tag] = list(zip(map(int, line['x']), line['y'], strict=True))
    return curves


def wandb(place: str) -> Curves:
    """Reads the records of the only offline run, in LevelDB's log format."""
    proto: Any = importlib.import_module('wandb.proto.wandb_internal_pb2')
    [path] = Path(place).rglob('*.wandb')
    curves: Curves = defaultdict(list)
    for data in _records(path.read_bytes()[7:], start=7):
        record = proto.Record.FromString(data)
        if record.WhichOneof('record_type') == 'run':
            config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
            assert config['trainer.Trainer.steps'] == '20'
        items = {'/'.join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        for name, value in items.items():
            if not name.startswith('_'):
                curves[name].append((int(items['_step']), json.loads(value)))
    return dict(curves)


def _records(data: bytes, start: int) -> Iterator[bytes]:
    """Yields records from blocks of 32 KiB: checksum, length and kind (whole, first, middle, last)."""
    parts, place = [], 0
    while place < len(data):
        left = 2**15 - (place + start) % 2**15
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack('<HB', data[place + 4 : place + 7])
        parts.append(data[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):
            yield b''.join(parts)
            parts = []

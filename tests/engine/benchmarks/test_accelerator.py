"""The benchmark of an accelerator: its plan, its processes, its file, and the configs that it measures."""

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.accelerator import children, figures, plan, settings, summary, times
from benchmarks.accelerator.cifar10 import Cifar10
from benchmarks.accelerator.plan import Section
from benchmarks.accelerator.record import Record
from benchmarks.accelerator.synthetic import RandomImages, RandomTokens
from benchmarks.accelerator.throughput import HOST_BYTES
from engine.config.config import Config
from engine.datasets.load import load
from engine.training.batches.training import MAX_DEVICE_BYTES
from engine.training.trainer import Trainer

H100 = 'NVIDIA H100 80GB HBM3'


def names(sections: list[Section]) -> list[str]:
    return [section.name for section in sections]


def test_the_plan_begins_with_what_is_of_most_worth() -> None:
    planned = plan.sections(has_cifar10=True)
    assert names(planned)[:5] == ['device', 'exactness', 'vit_b', 'vit_b.pytorch', 'gpt2']
    assert len(set(names(planned))) == len(planned)
    assert all(section.expected <= section.limit for section in planned)
    assert set(names(planned)) - set(names(plan.sections(has_cifar10=False))) == {'cifar10'}


def test_sections_are_chosen_by_name_and_by_what_they_begin_with() -> None:
    planned = plan.sections(has_cifar10=False)
    assert names(plan.chosen(planned, 'vit_b.pytorch,device', '')) == ['device', 'vit_b.pytorch']
    chosen = names(plan.chosen(planned, 'gpt2,gpt2.', 'gpt2.sizes'))
    assert chosen == ['gpt2', 'gpt2.pytorch', 'gpt2.attention']
    assert names(plan.chosen(planned, '', 'device')) == names(planned)[1:]
    with pytest.raises(ValueError, match="no section is called 'vit'"):
        plan.chosen(planned, 'vit', '')


def run(program: str, limit: float = 60, **environment: str) -> tuple[str, list[dict], list[str]]:
    """Returns why a Python program failed, its figures, and the other lines that it printed."""
    found, lines = [], []
    command = [sys.executable, '-c', program]
    return children.run(command, limit, environment, found.append, lines.append), found, lines


def test_figures_arrive_even_from_a_process_that_fails_or_hangs() -> None:
    printing = "import os, time\nprint('a line')\nprint('figure {\"rate\": 2}', flush=True)\n"
    assert run(printing) == ('', [{'rate': 2}], ['a line'])
    failure, found, _ = run(printing + "raise SystemExit('no memory')")
    assert (failure, found) == ('ended with 1\na line\nno memory', [{'rate': 2}])
    failure, found, _ = run(printing + 'time.sleep(60)', limit=1)
    assert (failure.splitlines()[0], found) == ('killed after 1 seconds', [{'rate': 2}])
    assert run("import os\nprint(os.environ['XLA_FLAGS'])", XLA_FLAGS='--flag')[2] == ['--flag']


def test_a_program_that_does_not_start_is_a_failure(tmp_path: Path) -> None:
    failure = children.run([str(tmp_path / 'python')], 60, {}, print, print)
    assert failure == f'{tmp_path}/python does not start: No such file or directory'


def test_a_process_that_is_killed_takes_its_own_processes_along(tmp_path: Path) -> None:
    child = f'import time, pathlib\ntime.sleep(1.5)\npathlib.Path({str(tmp_path / "alive")!r}).touch()'
    program = f'import subprocess, sys\nsubprocess.run([sys.executable, "-c", {child!r}])'
    assert run(program, limit=0.5)[0].startswith('killed')
    assert run('import time; time.sleep(1.5)')[0] == ''
    assert not (tmp_path / 'alive').exists()


@pytest.mark.parametrize('line', ['figure', 'figure {"rate": ', 'figure [1]', 'figure 3', ' figure {"a": 1}'])
def test_other_lines_are_not_figures(line: str) -> None:
    assert figures.read(line) == {}


def measured(unit: str, rate: float, step_ms: float) -> dict:
    return {f'{unit}_per_second': rate, 'step_ms': [step_ms] * 3, 'batch_size': 128}


SECTIONS = {
    'exactness': {'differing_files': ['logs/train.jsonl'], 'verified': True, 'cpu_same_class': 1.0},
    'vit_b': {'template': measured('images', 3960.0, 32.3), 'bare': measured('images', 4000.0, 32.0)},
    'vit_b.pytorch': {'pytorch': measured('images', 3000.0, 42.7)},
    'gpt2': {'bare': measured('tokens', 500_000.0, 32.8)},
}


def test_bounds_are_those_of_what_was_measured() -> None:
    bounds = summary.bounds(SECTIONS, H100)
    values = {name: bound['measured'] for name, bound in bounds.items()}
    assert values['ViT-B/16: images/s'] == 3960
    assert values['ViT-B/16: ratio to the bare step'] == 0.99
    assert values['ViT-B/16: ratio to PyTorch, compiled'] == 1.32
    assert values['ViT-B/16: model FLOPs utilisation'] == pytest.approx(0.422, abs=1e-3)
    assert values['killed and resumed: differing files'] == 1
    assert not any(name.startswith('GPT-2') for name in bounds)  # the template was not measured
    assert bounds['ViT-B/16: images/s']['at_least'] == 1459
    other = summary.bounds(SECTIONS, 'cpu')
    assert other['ViT-B/16: images/s']['at_least'] is None  # the limit is that of another device
    assert 'ViT-B/16: model FLOPs utilisation' not in other  # its peak is unknown


def test_the_record_keeps_sections_of_earlier_calls(tmp_path: Path) -> None:
    first = Record(tmp_path, H100, is_small=False)
    first.begin('vit_b')
    first.add('vit_b', SECTIONS['vit_b'])
    second = Record(tmp_path, H100, is_small=False)
    second.begin('device')
    second.add('device', {'platform': 'gpu'})
    written = json.loads((tmp_path / 'nvidia-h100-80gb-hbm3.json').read_text())
    result = written['benchmarks']['accelerator']['result']
    assert list(result['sections']) == ['vit_b', 'device']
    assert result['bounds']['ViT-B/16: images/s']['measured'] == 3960
    second.begin('vit_b')
    assert set(second.sections['vit_b']) == {'at'}


def test_the_time_of_a_step_leaves_out_evaluations_checkpoints_and_the_first_interval() -> None:
    lines = [
        {'step': 10, 'seconds': {'data': 1.0, 'evaluation': 1.0, 'total': 31.0}},
        {'step': 20, 'seconds': {'data': 1.0, 'evaluation': 1.0, 'checkpoint': 2.0, 'total': 13.0}},
        {'step': 40, 'seconds': {'total': 30.0}},
    ]
    assert times.step_seconds(lines) == ([1.0, 1.5], 2.0)


def test_gpt2_counts_its_parameters_twice_for_each_token_and_attention() -> None:
    parameters = 12 * 12 * 768**2 + 50304 * 768
    attention = 2 * 2 * 12 * 1024 * 768
    assert settings.gpt2_flops(12, 768, 1024, 50304) == 1024 * (2 * parameters + attention)


@pytest.mark.parametrize('name', settings.MODELS)
@pytest.mark.parametrize('is_small', [False, True])
def test_configs_take_the_sizes(name: str, is_small: bool) -> None:
    setting = settings.MODELS[name]
    sizes = settings.sizes(setting, is_small)
    bindings = [f'{parameter} = {value}' for parameter, value in sizes.bindings.items()]
    config = Config([setting.config], bindings)
    trainer = config.build(Trainer)
    assert (trainer.batch_size, trainer.steps) == (sizes.batch_size, settings.INTERVALS * sizes.interval)
    assert trainer.evaluate_every == sizes.interval
    assert sizes.interval % sizes.group == 0  # groups never cross an evaluation
    assert trainer.steps >= (12 if is_small else 100)


def test_the_config_of_cifar10_trains_24_epochs() -> None:
    trainer = Config([settings.FOLDER / 'cifar10.gin'], ["ARCHIVE = 'cifar10.tar'"]).build(Trainer)
    assert trainer.steps == 24 * 45_000 // trainer.batch_size + 3  # a few more steps: whole intervals


def test_random_datasets() -> None:
    images = RandomImages(training=6, others=2, side=4, classes=5).load(load)
    assert images.splits == {'train': 6, 'val': 2, 'test': 2}
    assert images.split('train').arrays['image'].shape == (6, 4, 4, 3)
    assert sorted({*images.split('train').arrays['label']}) == [0, 1, 2, 3, 4]
    assert images.fingerprint == RandomImages(6, 2, 4, 5).load(load).fingerprint
    tokens = RandomTokens(training=3, others=1, length=7, vocabulary=300).load(load).split('train').arrays
    assert tokens['text'].shape == (3, 7)
    assert tokens['text'].max() < 300
    assert tokens['length'].tolist() == [7, 7, 7]


def test_the_variant_of_arrays_is_held_by_the_host() -> None:
    assert HOST_BYTES > MAX_DEVICE_BYTES


def test_cifar10_is_read_from_an_archive(tmp_path: Path) -> None:
    path = tmp_path / 'cifar10.tar.xz'
    with tarfile.open(path, 'w:xz') as archive:
        for split, count in (('train', 12), ('test', 3)):
            for label, name in enumerate(('cat', 'dog')):
                for index in range(count):
                    _add_image(archive, f'any/{split}/{name}/{index:04d}.png', 100 * label + index)
    data = Cifar10(str(path)).load(load)
    assert data.splits == {'train': 20, 'val': 4, 'test': 6}
    assert data.split('val').ids == ['train/cat/0000', 'train/cat/0010', 'train/dog/0000', 'train/dog/0010']
    test = data.split('test').arrays
    assert test['image'][:, 0, 0, 0].tolist() == [0, 1, 2, 100, 101, 102]
    assert test['label'].tolist() == [0, 0, 0, 1, 1, 1]
    assert Cifar10(str(path), limit=2).load(load).splits == {'train': 2, 'val': 2, 'test': 4}


def _add_image(archive: tarfile.TarFile, name: str, value: int) -> None:
    content = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), value, np.uint8)).save(content, 'PNG')
    member = tarfile.TarInfo(name)
    member.size = len(content.getvalue())
    content.seek(0)
    archive.addfile(member, content)

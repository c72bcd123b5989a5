"""`scripts/inputs.sh`: which lines an edit changes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.commands import inputs
from engine.workspace import REPOSITORY
from tests.conftest import Program

ConfigFile = Callable[..., Path]


def lines(program: Program, config: Path, *more: str) -> set[tuple[str, ...]]:
    code, out, err = program('inputs', f'--gin_file={config}', *more)
    assert code == 0, err
    cells = [tuple(line.split('\t')) for line in out.splitlines()]
    assert {len(line) for line in cells} == {3}
    assert len({line[:2] for line in cells}) == len(cells)
    return set(cells)


def changed(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Returns subject and name of the lines that differ."""
    return {line[:2] for line in one ^ other}


def test_the_lines_name_all_subjects_and_values(program: Program, config_file: ConfigFile) -> None:
    known = lines(program, config_file())
    assert {line[0] for line in known} == {
        *('config', 'code', 'packages', 'flags', 'data', 'originals', 'checks', 'evaluation', 'splits')
    }
    assert {('config', 'mlp.MLP.width', '16'), ('splits', 'test', 'predicted')} <= known
    names = {line[:2] for line in known}
    assert {('code', 'research/models/mlp.py'), ('packages', 'jax'), ('data', 'digits/toy')} <= names
    assert {('code', 'data/digits/digits_dataset_builder.py'), ('originals', 'digits/toy')} <= names
    assert ('evaluation', 'engine/kinds/classification/evaluate.py') in names
    assert ('code', 'engine/kinds/classification/evaluate.py') not in names


def test_edits_change_only_their_own_lines(
    program: Program, config_file: ConfigFile, workspace: Path
) -> None:
    before = lines(program, config_file())
    assert (
        changed(before, lines(program, config_file('# a comment', 'trainer.Trainer.observers = ()'))) == set()
    )
    other = lines(program, config_file(), 'mlp.MLP.width=8', 'STEPS=20')
    assert changed(before, other) == {('config', 'mlp.MLP.width'), ('config', 'trainer.Trainer.steps')}
    excused = config_file()
    excused.write_text(f'# exception: first_loss - half of the labels are noise\n{excused.read_text()}')
    assert changed(before, lines(program, excused)) == {('checks', 'exception first_loss')}
    original = next((workspace / 'data/digits/toy').rglob('*.png'))
    status = original.stat()
    os.utime(original, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    assert changed(before, lines(program, config_file())) == {('originals', 'digits/toy')}
    os.utime(original, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert lines(program, config_file()) == before


def test_json_holds_the_same_values(program: Program, config_file: ConfigFile) -> None:
    known = lines(program, config_file())
    code, out, _ = program('inputs', f'--gin_file={config_file()}', '--json')
    assert code == 0
    assert {tuple(line.split('\t')) for line in inputs.lines(json.loads(out))} == known


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'nothing to list: pass --gin_file=configs/<name>.gin.'),
        ([f'--gin_file={REPOSITORY}/configs/digits_mlp.gin', 'mlp.MLP.widht=3'], "Did you mean 'width'?"),
    ],
)
def test_a_mistake_has_one_message(program: Program, arguments: list[str], message: str) -> None:
    code, out, err = program('inputs', *arguments)
    assert (code, out, err.count('\n')) == (2, '', 1)
    assert message in err

"""Random edits of the shipped configs, as `--dry_run` takes them: refused in one message, or fully in effect.

An edit that is accepted is never silent. Each line of the file that assigns a value is the source of a value
of the operative config, or a note names it. Each value of the operative config stands on the line it names.
By default few edits of three configs are tried:

    FUZZ=3000 scripts/test.sh tests/engine/config/test_random_edits.py      3,000 of each kind, of all
"""

import ast
import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workspace import REPOSITORY
from tests.conftest import run_program
from tests.engine.random_cases import CASES, random_cases

CONFIGS = [
    'digits_mlp',
    'digits_cnn',
    'digits_gan',
    *(['shapes_unet', 'stdlib_transformer'] if CASES else []),
]
SECONDS = 120  # after which a case counts as a hang
ASSIGNMENT = re.compile(r'\s*(?P<name>[\w./]+)\s*=(?!=)\s*(?P<value>.*)')
ROW = re.compile(r'(?P<name>[\w./]+) = (?P<value>.*?)\s+# (?P<place>.*?)(?: \(inherited from .*\))?')
CHARACTERS = ' \t\n#=%@()[]{},.:;\\\'"/-+*01e_aS\x00\x0b\x0c\x85\xa0é\u200b\u2028\u201cß漢🙂'
VALUES = re.findall(
    r'\S+',
    """
    0 -1 1 3 1.0 0.5 1e999 -1e400 1e-320 1e22 00 1_0 0x10 999999999999 2147483648 1000000000000000000000 -0.0
    None True False '' 'x' 'digits/toy' "it's" '\\n' () (1,) [1,2] {} {'a':1} ('loss','max') ('val',) %STEPS
    %BATCH_SIZE %SEED %NONE %gin.REQUIRED @optax.sgd @optax.sgd() @optax.chain @optax.adamw() @mlp.MLP
    @optax.cosine_decay_schedule @optax.constant_schedule @trainer.Trainer() @trainer.os.getpid() @optax.adam
    @x/optax.adam @nowhere.Thing lambda inf nan 1/3 2**3 b'x' 1j f'x' ... digits true
    """,
)
SEVERAL = '{n}={v},SEED=1'
FORMS = ['{n}={v}', '--{n}={v}', '--{n} {v}', '+{n}={v}', '{n}:{v}', '{n}=={v}', '{n} = {v}', '{n}', SEVERAL]


class HangError(Exception):
    """A case took too long."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope='session')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with the shipped configs, on toy data."""
    folder = tmp_path_factory.mktemp('configs')
    for path in (REPOSITORY / 'configs').glob('*.gin'):
        text = re.sub(r"(dataset = '\w+)'", r"\1/toy'", path.read_text(encoding='utf-8'))
        (folder / path.name).write_text(text, encoding='utf-8')
    return folder


class Trial:
    """The outcome of a dry run.

    Attributes:
      code: exit code.
      err: what it printed to stderr.
      rows: (value, place) of the operative config by name.
      notes: what it noted.
    """

    def __init__(self, capfd: pytest.CaptureFixture[str], *arguments: str):
        capfd.readouterr()
        with limited():
            self.code = run_program('train', *arguments, '--dry_run')
        out, self.err = capfd.readouterr()
        matches = filter(None, map(ROW.fullmatch, out.split('\n')))
        self.rows = {match['name']: (match['value'], match['place']) for match in matches}
        self.notes = [line for line in out.split('\n') if line.startswith('note: ')]

    @property
    def accepted(self) -> bool:
        """Whether the dry run found nothing wrong; checks the message if it did."""
        assert self.code in (0, 2), self.err
        assert 'Traceback' not in self.err
        assert ' object at 0x' not in self.err
        if self.code == 2:
            assert self.err.startswith('error: ')
            assert self.err.count('error: ') == 1
            assert re.search(r'\.(?:gin|py):\d+|--gin_bindings|--gin_file|scripts/train.sh', self.err), (
                self.err
            )
        return self.code == 0


ORIGINALS: dict[str, dict[str, tuple[str, str]]] = {}


def original(name: str, folder: Path, capfd: Any) -> dict[str, tuple[str, str]]:
    """Returns the operative config of an unchanged config."""
    if name not in ORIGINALS:
        trial = Trial(capfd, f'--gin_file={folder / name}.gin')
        assert trial.accepted, trial.err
        ORIGINALS[name] = trial.rows
    return ORIGINALS[name]


def value_of(text: str) -> Any:
    """Returns the value that a text means; the text without spaces if it is not a literal."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text.replace(' ', '')
    return type(value), value


def code(line: str) -> str:
    """Returns a line without its comment."""
    return re.match(r"""(?:'[^'\n]*'|"[^"\n]*"|[^#'"\n])*""", line)[0].strip()  # type: ignore[index]


def check_in_effect(trial: Trial, path: Path) -> None:
    """Checks that the operative config and the lines of the file agree, each with the other."""
    lines = re.split(r'\r\n|\r|\n', path.read_text(encoding='utf-8-sig'))
    places = {place for _, place in trial.rows.values()}
    for number, line in enumerate(lines, 1):
        if ASSIGNMENT.fullmatch(code(line)):
            place = f'{path}:{number}'
            assert place in places or any(place in note for note in trial.notes), f'{line!r} is ignored'
    for name, (value, place) in trial.rows.items():
        file, _, number = place.rpartition(':')
        if file == str(path):
            stated = ASSIGNMENT.fullmatch(code(lines[int(number) - 1]))
            assert stated, (name, place)
            assert name.endswith(stated['name'].rpartition('/')[2].rpartition('.')[2]), (name, place)
            assert value_of(stated['value']) == value_of(value), (name, value, stated['value'])


# Edits of a text.


@st.composite
def edits(draw: st.DrawFn, text: str) -> str:
    lines = text.split('\n')
    used = [index for index, line in enumerate(lines) if code(line)]
    index = draw(st.sampled_from(used if draw(st.integers(0, 3)) else range(len(lines))))
    kind = draw(st.sampled_from(['delete', 'twice', 'swap', 'value', 'insert', 'remove', 'token', 'add']))
    if kind == 'delete':
        del lines[index]
    elif kind == 'twice':
        lines.insert(draw(st.integers(0, len(lines))), lines[index])
    elif kind == 'swap':
        other = draw(st.sampled_from(used))
        lines[index], lines[other] = lines[other], lines[index]
    elif kind == 'add':
        names = re.findall(r'\b[a-zA-Z_][\w.]*', text)
        parts = [draw(st.sampled_from(names)) for _ in range(draw(st.integers(1, 3)))]
        lines.insert(index, f'{".".join(parts)} = {draw(st.sampled_from(VALUES))}')
    elif kind == 'value' and '=' in lines[index]:
        lines[index] = f'{lines[index].partition("=")[0]}= {draw(st.sampled_from(VALUES))}'
    elif kind == 'token':
        tokens = re.findall(r'[\w.]+|\S', text)
        lines[index] = re.sub(r'[\w.]+', lambda _: draw(st.sampled_from(tokens)), lines[index], count=1)
    elif kind in ('insert', 'remove'):
        position = draw(st.integers(0, len(lines[index])))
        new = draw(st.text(CHARACTERS, min_size=1, max_size=2)) if kind == 'insert' else ''
        lines[index] = lines[index][:position] + new + lines[index][position + (kind == 'remove') :]
    return '\n'.join(lines)


@random_cases(30)
@given(data=st.data())
def test_an_edit_is_refused_or_takes_effect(data: st.DataObject, folder: Path, capfd: Any) -> None:
    name = data.draw(st.sampled_from(CONFIGS))
    path = folder / 'edited.gin'
    text = (folder / f'{name}.gin').read_text(encoding='utf-8')
    for _ in range(data.draw(st.integers(1, 2))):
        text = data.draw(edits(text))
    end = data.draw(st.sampled_from(['\n', '\n', '\r\n', '\r']))
    mark = data.draw(st.sampled_from(['', '', '\ufeff']))
    path.write_bytes((mark + text.replace('\n', end)).encode())
    trial = Trial(capfd, f'--gin_file={path}')
    if trial.accepted:
        check_in_effect(trial, path)


# Includes.


@random_cases(5)
@given(data=st.data())
def test_includes_in_any_order_and_number_change_nothing(
    data: st.DataObject, folder: Path, capfd: Any
) -> None:
    """Files that include the same files several times give the values of the first places."""
    name = data.draw(st.sampled_from(CONFIGS[:2]))
    names = [f'{name}.gin', 'base.gin']
    for index in range(data.draw(st.integers(1, 4))):
        included = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4))
        (folder / f'level{index}.gin').write_text(''.join(f'include {each!r}\n' for each in included))
        names.append(f'level{index}.gin')
    files = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    trial = Trial(capfd, *(f'--gin_file={folder / file}' for file in [f'{name}.gin', *files]))
    assert trial.accepted
    expected = {key: value for key, (value, _) in original(name, folder, capfd).items()}
    assert {key: value for key, (value, _) in trial.rows.items()} == expected


# Command lines.


@random_cases(15)
@given(data=st.data())
def test_a_binding_of_the_command_line_is_refused_or_takes_effect(
    data: st.DataObject, folder: Path, capfd: Any
) -> None:
    name = data.draw(st.sampled_from(CONFIGS[:2]))
    before = original(name, folder, capfd)
    names = [*before, *(key.rpartition('.')[2].lower() for key in before), 'lr', 'epochs', 'x.y']
    key, value = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(VALUES))
    form = data.draw(st.sampled_from(FORMS))
    arguments = [part.format(n=key, v=value) for part in form.split(' ')]
    trial = Trial(capfd, f'--gin_file={folder / name}.gin', *arguments)
    if trial.accepted:
        changed = {row for row in trial.rows if trial.rows[row] != before.get(row)}
        bound = [row for row in changed if trial.rows[row][1].startswith('--gin_bindings')]
        assert bound == [key] or form == SEVERAL
        assert value_of(trial.rows[key][0]) == value_of(value)
        if '@' not in value + before[key][0]:
            assert changed <= {key, 'SEED'}

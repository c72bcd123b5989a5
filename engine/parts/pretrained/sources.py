"""Where trained variables are: a run, a released model, an array file, or a folder by Orbax."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from engine import files
from engine.errors import UserError, did_you_mean
from engine.parts.pretrained import array_files, checkpoint_folder
from engine.parts.pretrained.stored_arrays import StoredArrays
from engine.runs import checksums
from engine.stored_trees import release_folder
from engine.stored_trees import tree as trees
from engine.workspace import located, workspace

MODEL = 'model.safetensors'
INDEX = f'{MODEL}.index.json'
KINDS = ('best', 'latest')
PICKLES = ('.pt', '.pth', '.bin', '.ckpt', '.pkl', '.pickle')
FORMATS = (
    'Known are runs, released models, .safetensors (or its .index.json), .npz, and folders that Orbax wrote. '
    'Other arrays can be saved by numpy.savez(file, **arrays), by their names.'
)


def find(source: str, checkpoint: str | int, tree: str) -> StoredArrays:
    """Returns a source with the names and shapes of its arrays.

    Args:
      source: a path, with ~ for the home folder; a relative one starts at the repository. 'model:digits/1.0'
        is a release in the workspace's `models/`. Without 'model:', it is the name of any folder there.
      checkpoint: of a run: 'best', 'latest' or a step.
      tree: entry of a checkpoint's state; '' takes the parameters that the run evaluates.

    Raises:
      UserError: there is no such source, or it cannot be read.
    """
    place = _place(source)
    if place.is_dir():
        return _in_folder(place, str(checkpoint), tree)
    if tree:
        raise UserError(f'Pretrained.params = {tree!r} names a tree of a checkpoint, which {place} is not.')
    return _in_file(place)


def _place(source: str) -> Path:
    if not source:
        raise UserError('Pretrained.source is empty. Name a run, a released model or a file.')
    if source.startswith(release_folder.PREFIX):
        return release_folder.find(source)
    try:
        path = located(Path(source).expanduser())
    except RuntimeError as error:
        raise UserError(f'Pretrained.source = {source!r}: {error}') from error
    released = workspace() / 'models' / source
    place = next((place for place in (path, released) if place.exists()), None)
    if place is None:
        hint = files.nearest_sibling(path) or files.nearest_sibling(released) or _existing(path)
        raise UserError(f'Pretrained.source = {source!r}: {path} does not exist.{hint}')
    return place.resolve()


def _existing(path: Path) -> str:
    above = next(parent for parent in path.parents if parent.exists())
    return f' The path exists up to {above}.'


def _in_file(file: Path) -> StoredArrays:
    start = _start(file)
    if not start:
        raise UserError(f'{file} is empty.')
    if file.name.endswith('.safetensors.index.json'):
        return array_files.safetensors_by_index(file)
    if file.suffix == '.safetensors':
        return array_files.safetensors(file)
    if file.suffix in PICKLES or start[:1] == b'\x80' or _is_pickled_archive(file):
        raise UserError(_conversion(file))
    if file.suffix == '.npz':
        return array_files.npz(file)
    raise UserError(f'{file} has no known format. {FORMATS}')


def _start(file: Path) -> bytes:
    try:
        with file.open('rb') as opened:
            return opened.read(8)
    except OSError as error:
        raise UserError(f'{file} cannot be read: {error.strerror}.') from error


def _is_pickled_archive(file: Path) -> bool:
    """Whether a file is a zip file of PyTorch."""
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith('.pkl') for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _conversion(file: Path) -> str:
    return (
        f'{file} holds pickles, which can run any code when they are read. Convert it where PyTorch is '
        'installed:\n'
        '  import torch; from safetensors.torch import save_file\n'
        f'  weights = torch.load({file.name!r}, map_location="cpu", weights_only=True)\n'
        '  save_file({name: value.clone().contiguous() for name, value in weights.items()}, '
        f'{file.with_suffix(".safetensors").name!r})'
    )


def _in_folder(folder: Path, checkpoint: str, tree: str) -> StoredArrays:
    if (folder / 'checkpoints').is_dir():
        return _in_run(folder, checkpoint, tree)
    for name, read in ((MODEL, array_files.safetensors), (INDEX, array_files.safetensors_by_index)):
        if (folder / name).is_file():
            return read(folder / name)
    if trees.is_tree(folder):
        return checkpoint_folder.read(folder, folder, tree, {})
    if trees.is_tree(folder / trees.ITEM):
        return _in_step(folder, tree, {})
    steps = _steps(folder)
    if any(trees.is_tree(path / trees.ITEM) for path in steps.values()):
        return _in_step(_step(folder, steps, checkpoint), tree, {})
    raise UserError(f'{folder} holds no variables. {_hint(folder)}')


def _hint(folder: Path) -> str:
    """Says what in a folder, or below it, may be meant."""
    inside = sorted(path.name for path in folder.iterdir())
    pickled = [name for name in inside if name.endswith(PICKLES)]
    if pickled:
        return _conversion(folder / pickled[0])
    fitting = [path for path in folder.glob('*') if path.suffix in ('.safetensors', '.npz')]
    fitting += [path.parent for path in folder.glob(f'*/{MODEL}')]
    fitting += [path.parent for path in folder.glob('*/checkpoints')]
    if fitting:
        return f'Name what is in it: {" or ".join(map(str, sorted(fitting)[:3]))}.'
    return FORMATS if inside else 'It is empty.'


def _step(folder: Path, steps: Mapping[str, Path], checkpoint: str) -> Path:
    newest = max(steps, key=int)
    if checkpoint not in (*KINDS, *steps):
        hint = did_you_mean(checkpoint, steps)
        raise UserError(f'Pretrained.checkpoint = {checkpoint!r}: {folder} has no such step. {hint}')
    return steps.get(checkpoint, steps[newest])


def _in_step(folder: Path, tree: str, record: dict[str, object]) -> StoredArrays:
    step: dict[str, object] = {'step': int(folder.name)} if folder.name.isdecimal() else {}
    return checkpoint_folder.read(folder, folder / trees.ITEM, tree, record | step)


def _in_run(run: Path, checkpoint: str, tree: str) -> StoredArrays:
    saved = {kind: _steps(run / 'checkpoints' / kind) for kind in KINDS}
    if not any(saved.values()):
        raise UserError(f'{run} has no checkpoint yet.')
    # A run that chooses no best checkpoint is evaluated by its last one.
    kind = checkpoint if saved.get(checkpoint) else 'latest'
    if checkpoint in KINDS:
        return _in_step(saved[kind][max(saved[kind], key=int)], tree, {'checkpoint': kind})
    found = [(kind, steps[checkpoint]) for kind, steps in saved.items() if checkpoint in steps]
    if not found:
        known = '; '.join(f'{kind}: {sorted(map(int, steps)) or "none"}' for kind, steps in saved.items())
        raise UserError(f'Pretrained.checkpoint = {checkpoint!r}: {run} has no such step. Saved are {known}.')
    kind, step = found[0] if len(found) == 1 else min(found, key=lambda pair: bool(checksums.damage(pair[1])))
    return _in_step(step, tree, {'checkpoint': kind})


def _steps(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.glob('*') if path.name.isdecimal()}

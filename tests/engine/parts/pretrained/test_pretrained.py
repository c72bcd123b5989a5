"""Trained variables from files of every kind: bits, shards, names, and messages."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.errors import UserError
from engine.parts.pretrained import Pretrained, variable_names
from engine.sharding import Jit, PMap
from engine.workspace import REPOSITORY, workspace
from tests.engine.parts.pretrained.conftest import Arrays, Model, save_orbax

HEAD = 'output/kernel'


def loaded(source: Pretrained, shapes: Any) -> dict[str, jax.Array]:
    return variable_names.of_model(source.load(shapes))


def message(source: Pretrained, model: Model) -> str:
    with pytest.raises(UserError) as error:
        source.check(model.shapes())
    return str(error.value)


@pytest.mark.parametrize('parallelism', [Jit(data=1), Jit(data=1, fsdp=2), Jit(data=2), PMap()], ids=repr)
def test_every_kind_of_source_gives_the_same_bits_in_every_sharding(
    written: Callable[[Arrays], str], model: Model, parallelism: Any
) -> None:
    source, shapes = Pretrained(source=written(model.arrays)), model.shapes(parallelism)
    assert HEAD in source.check(shapes)
    result = loaded(source, shapes)
    wanted = variable_names.of_model(shapes)
    assert list(result) == list(wanted)
    for name, array in result.items():
        assert array.sharding == wanted[name].sharding
        assert np.asarray(array).tobytes() == model.arrays[name].tobytes()
    assert len(source.origin()['sha256']) == 64


def test_the_sha256_tells_changed_arrays(written: Callable[[Arrays], str], model: Model) -> None:
    arrays = model.arrays
    path = written(arrays)
    first = Pretrained(source=path).origin()
    if Path(path).is_dir():
        shutil.rmtree(path)
    arrays[HEAD][0, 0] += 1
    written(arrays)
    assert Pretrained(source=path).origin()['sha256'] != first['sha256']


def test_only_and_missing_leave_the_others_out(written: Callable[[Arrays], str], model: Model) -> None:
    arrays = model.arrays
    arrays[HEAD] = arrays[HEAD][:, :2]
    path = written(arrays)
    names = set(arrays)
    head = {'output/kernel', 'output/bias'}
    assert loaded(Pretrained(source=path, only=('^stages/',)), model.shapes()).keys() == names - head
    # The bias fits, so it is taken.
    assert loaded(Pretrained(source=path, missing=('^output/',)), model.shapes()).keys() == names - {HEAD}
    assert f'{HEAD}: float32 [2, 2] in the source, float32 [2, 3] in the model' in message(
        Pretrained(source=path), model
    )


def test_names_are_changed_in_order_and_dots_are_slashes(
    written: Callable[[Arrays], str], model: Model
) -> None:
    path = written({f'module.{name.replace("/", ".")}.value': array for name, array in model.arrays.items()})
    rename = ((r'^module\.', ''), (r'\.value$', ''), ('^output/', 'out.'), ('^out/(.*)', r'output/\1'))
    result = loaded(Pretrained(source=path, rename=rename), model.shapes())
    assert {name: array.tolist() for name, array in result.items()} == {
        name: array.tolist() for name, array in model.arrays.items()
    }


@pytest.mark.parametrize(
    ('rename', 'words'),
    [
        ((('^stage/', ''),), "'^stage/' matches no name of the source. Did you mean 'stages/'"),
        ((('(', ''),), "'(', '' is not a substitution"),
        ((('^output', r'\2'),), 'is not a substitution: invalid group reference'),
        ((('^output/.*', 'output'),), "'output/bias' and 'output/kernel' of the source both become 'output'"),
    ],
)
def test_a_wrong_rename_is_named(rename: Any, words: str, tmp_path: Path, model: Model) -> None:
    np.savez(tmp_path / 'a.npz', **model.arrays)  # type: ignore[arg-type]
    assert words in message(Pretrained(source=str(tmp_path / 'a.npz'), rename=rename), model)


@pytest.mark.parametrize('setting', ['only', 'missing'])
def test_a_pattern_that_matches_nothing_is_named(setting: str, tmp_path: Path, model: Model) -> None:
    np.savez(tmp_path / 'a.npz', **model.arrays)  # type: ignore[arg-type]
    patterns: Any = {setting: ('^outptu/',)}
    words = f"Pretrained.{setting}: '^outptu/' matches no variable. Did you mean 'output/"
    assert words in message(Pretrained(source=str(tmp_path / 'a.npz'), **patterns), model)


def test_an_error_suggests_what_to_write_and_that_works(tmp_path: Path, model: Model) -> None:
    arrays = {f'backbone.{name}': array for name, array in model.arrays.items() if name != 'output/bias'}
    path = tmp_path / 'a.npz'
    np.savez(path, **arrays)  # type: ignore[arg-type]
    text = message(Pretrained(source=str(path)), model)
    rename = re.search(r'Pretrained.rename = (.*) would find', text)
    missing = re.search(r'Pretrained.missing = (.*)\.\n', text)
    assert rename and missing
    settings: Any = {'rename': eval(rename[1]), 'missing': eval(missing[1])}
    assert settings == {'rename': (('^backbone/', ''),), 'missing': ('^output/bias',)}
    result = loaded(Pretrained(source=str(path), **settings), model.shapes())
    assert result.keys() == model.arrays.keys() - {'output/bias'}


def test_nothing_to_load_is_an_error(tmp_path: Path, model: Model) -> None:
    np.savez(tmp_path / 'a.npz', other=np.zeros(3))
    assert 'would be loaded' in message(Pretrained(source=str(tmp_path / 'a.npz'), missing=('.',)), model)


@pytest.mark.parametrize(
    'dtype', [np.float16, np.float64, ml_dtypes.bfloat16], ids=lambda dtype: dtype.__name__
)
def test_floats_are_cast_and_the_table_says_so(
    written: Callable[[Arrays], str], dtype: Any, model: Model
) -> None:
    arrays = {name: array.astype(dtype) for name, array in model.arrays.items()}
    path = written(arrays)
    if path.endswith('.npz') and dtype is ml_dtypes.bfloat16:  # NumPy forgets this dtype
        assert 'has the dtype |V2. Save numbers alone' in message(Pretrained(source=path), model)
        return
    source = Pretrained(source=path)
    assert f'cast from {np.dtype(dtype)}' in source.check(model.shapes())
    for name, array in loaded(source, model.shapes()).items():
        assert array.dtype == np.float32
        assert np.asarray(array).tolist() == arrays[name].astype(np.float32).tolist()


def test_integers_are_not_cast(written: Callable[[Arrays], str], model: Model) -> None:
    arrays = model.arrays
    arrays[HEAD] = arrays[HEAD].astype(np.int32)
    text = message(Pretrained(source=written(arrays)), model)
    assert f'{HEAD}: int32 [2, 3] in the source; only floats are cast to other floats' in text


def test_orders_of_memory_and_edges_of_shapes(tmp_path: Path) -> None:
    arrays = {
        'fortran': np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
        'scalar': np.float32(3),
        'big_endian': np.arange(3, dtype='>f4'),
        'long' * 40: np.arange(5, dtype=np.float32),
    }
    np.savez(tmp_path / 'a.npz', **arrays)  # type: ignore[arg-type]
    shapes = {name: jax.ShapeDtypeStruct(np.shape(array), np.float32) for name, array in arrays.items()}
    model: Any = Jit(data=1).state({'params': shapes, 'model_state': {}})
    result = Pretrained(source=str(tmp_path / 'a.npz')).load(model)['params']
    assert {name: np.asarray(array).tolist() for name, array in result.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }


def test_sharded_safetensors(tmp_path: Path, model: Model) -> None:
    arrays = model.arrays
    names = sorted(arrays)
    parts = {'model-1.safetensors': names[::2], 'model-2.safetensors': names[1::2]}
    for file, part in parts.items():
        save_file({name: arrays[name] for name in part}, tmp_path / file)
    index = tmp_path / 'model.safetensors.index.json'
    index.write_text(
        json.dumps({'weight_map': {name: file for file, part in parts.items() for name in part}})
    )
    for place in (index, tmp_path):
        result = loaded(Pretrained(source=str(place)), model.shapes())
        assert {name: array.tolist() for name, array in result.items()} == {
            name: array.tolist() for name, array in arrays.items()
        }
    (tmp_path / 'model-2.safetensors').unlink()
    assert 'names model-2.safetensors, which is missing beside it' in message(
        Pretrained(source=str(index)), model
    )
    index.write_text('{"weight_map": {"a": 3}}')
    assert 'names 3, which is missing beside it' in message(Pretrained(source=str(index)), model)
    index.write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    assert "model-1.safetensors has no array 'a'" in message(Pretrained(source=str(index)), model)
    index.write_text('{"weight_map": 3}')
    assert 'is damaged: it holds no weight_map' in message(Pretrained(source=str(index)), model)


def test_places(tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is the home folder, a relative path starts at the repository, a released model has a name."""
    released = workspace() / 'models' / 'net' / '1'
    released.mkdir(parents=True)
    save_file(model.arrays, released / 'model.safetensors')
    monkeypatch.setenv('HOME', str(released))
    monkeypatch.chdir(tmp_path)
    relative = Path(*['..'] * (len(REPOSITORY.parts) - 1), *released.parts[1:])
    for source in (str(released), str(relative), '~', '~/model.safetensors', 'net/1'):
        assert Pretrained(source=source).check(model.shapes())
    assert f'Name what is in it: {released}' in message(Pretrained(source='net'), model)
    assert 'Did you mean' in message(Pretrained(source='~/model.safetensor'), model)
    assert 'The path exists up to' in message(Pretrained(source='/nowhere/at/all.npz'), model)
    assert 'is empty. Name a run' in message(Pretrained(source=''), model)
    shutil.rmtree(released.parent)


def test_what_cannot_be_read_is_named(tmp_path: Path, model: Model) -> None:
    save_file(model.arrays, tmp_path / 'cut.safetensors')
    content = (tmp_path / 'cut.safetensors').read_bytes()
    (tmp_path / 'cut.safetensors').write_bytes(content[:-10])
    (tmp_path / 'noise.safetensors').write_bytes(b'no such thing at all')
    np.savez(tmp_path / 'cut.npz', **model.arrays)  # type: ignore[arg-type]
    (tmp_path / 'cut.npz').write_bytes((tmp_path / 'cut.npz').read_bytes()[:-30])
    np.savez(tmp_path / 'object.npz', a=np.array([None]))
    np.savez(tmp_path / 'none.npz')
    (tmp_path / 'zero.npz').touch()
    (tmp_path / 'weights.csv').write_text('1,2,3,4,5,6,7,8')
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'notes.txt').write_text('nothing')
    save_orbax(tmp_path / 'orbax', model.arrays)
    for file in (tmp_path / 'orbax').glob('_METADATA'):
        file.write_text('{')
    words = {
        'cut.safetensors': 'is damaged',
        'noise.safetensors': 'is damaged',
        'cut.npz': 'is damaged',
        'object.npz': 'has the dtype object',
        'none.npz': 'is empty: it holds no arrays',
        'zero.npz': 'is empty',
        'weights.csv': 'has no known format. Known are runs',
        'folder': 'holds no variables. It is empty',
        'other': 'holds no variables. Known are runs',
        'orbax': 'is damaged: Orbax cannot read it',
    }
    for name, expected in words.items():
        text = message(Pretrained(source=str(tmp_path / name)), model)
        assert expected in text
        assert str(tmp_path / name) in text
    text = message(Pretrained(source=str(tmp_path / 'cut.npz'), params='teacher'), model)
    assert "Pretrained.params = 'teacher' names a tree of a checkpoint" in text


@pytest.mark.parametrize('name', ['a.pt', 'a.pth', 'pytorch_model.bin', 'a.ckpt', 'zip.npz', 'a.weights'])
def test_pickles_are_not_read_and_their_conversion_is_shown(name: str, tmp_path: Path, model: Model) -> None:
    if name == 'a.weights':
        (tmp_path / name).write_bytes(b'\x80\x04K\x01.')
    else:
        with zipfile.ZipFile(tmp_path / name, 'w') as archive:
            archive.writestr('archive/data.pkl', b'\x80\x02}q\x00.')
    text = message(Pretrained(source=str(tmp_path / name)), model)
    assert 'holds pickles, which can run any code' in text
    assert f'torch.load({name!r}, map_location="cpu", weights_only=True)' in text
    assert f"{Path(name).stem}.safetensors')" in text
    if name == 'pytorch_model.bin':
        assert 'holds pickles' in message(Pretrained(source=str(tmp_path)), model)


def test_a_damaged_member_of_an_npz_is_noticed(tmp_path: Path, model: Model) -> None:
    for save in (np.savez, np.savez_compressed):
        path = tmp_path / f'{save.__name__}.npz'
        save(path, **model.arrays)  # type: ignore[arg-type]
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(f'{HEAD}.npy')
        content = bytearray(path.read_bytes())
        content[info.header_offset + 60 + info.compress_size] ^= 1  # the last bytes of the array
        path.write_bytes(content)
        with pytest.raises(UserError, match='is damaged'):
            Pretrained(source=str(path)).origin()


def test_a_path_of_both_params_and_model_state_means_the_parameter(tmp_path: Path) -> None:
    shape = jax.ShapeDtypeStruct((2,), np.float32)
    shapes: Any = Jit(data=1).state({'params': {'net': {'w': shape}}, 'model_state': {'net': {'w': shape}}})
    one, other = np.array([1, 2], np.float32), np.array([3, 4], np.float32)
    np.savez(tmp_path / 'a.npz', **{'net/w': one, 'model_state/net/w': other})  # type: ignore[arg-type]
    result = Pretrained(source=str(tmp_path / 'a.npz')).load(shapes)
    assert result['params']['net']['w'].tolist() == [1, 2]
    assert result['model_state']['net']['w'].tolist() == [3, 4]
    save_orbax(tmp_path / 'o', {'params': {'net': {'w': one}}, 'model_state': {'net': {'w': other}}})
    result = Pretrained(source=str(tmp_path / 'o')).load(shapes)
    assert result['model_state']['net']['w'].tolist() == [3, 4]


def test_a_transformation_of_ones_own(written: Callable[[Arrays], str], model: Model) -> None:
    """Arrays are split, scaled and left out; the check runs it on shapes."""
    arrays = model.arrays
    arrays['fused'] = np.concatenate([arrays.pop('output/bias'), arrays[HEAD].ravel()])
    arrays[HEAD] = np.zeros(1, np.float32)

    def split(given: Any, shapes: Any) -> Any:
        fused = given['fused']
        rest = {name: array for name, array in given.items() if name not in ('fused', HEAD)}
        return rest | {'output/bias': fused[:3], HEAD: 2 * fused[3:].reshape(shapes[HEAD].shape)}

    source = Pretrained(source=written(arrays), transform=split)
    assert '(made by transform)' in source.check(model.shapes())
    result = loaded(source, model.shapes())
    assert result[HEAD].tolist() == (2 * model.arrays[HEAD]).tolist()
    assert result['output/bias'].tolist() == model.arrays['output/bias'].tolist()
    with pytest.raises(UserError, match=r'Pretrained\.transform returns list instead of a dict of arrays'):
        Pretrained(source=source.source, transform=lambda *_: []).check(model.shapes())  # type: ignore[arg-type]

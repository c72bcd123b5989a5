"""Ensembles of each kind, evaluated, against the same joined by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.outputs import kind_folders
from engine.outputs.joint import ensemble as joint
from engine.outputs.outputs import Outputs
from tests.engine import sample_outputs

EVALUATOR = Evaluator(resamples=100)


def members(folder: Path, kind: str, count: int = 3, **more: Any) -> list[Outputs]:
    """Returns members that differ in their predictions alone."""
    return [
        outputs.read(sample_outputs.write(folder / str(seed), kind, seed, run=f'run {seed}', **more))
        for seed in range(count)
    ]


def classified(folder: Path, arrays: dict[str, np.ndarray]) -> Outputs:
    ids = [f'example {index}' for index in range(len(next(iter(arrays.values()))))]
    return outputs.read(sample_outputs.write(folder, 'classification', arrays=arrays, ids=ids))


def written(ensemble: joint.Ensemble, folder: Path) -> Outputs:
    outputs.write(folder, ensemble.manifest, ensemble.arrays, ensemble.ids, ensemble.meanings)
    return outputs.read(folder)


@pytest.mark.parametrize(
    ('names', 'dtypes'),
    [
        (['logits', 'logits', 'logits'], ['float32', 'float32', 'float32']),
        (['logits', 'probabilities', 'probabilities'], ['float16', 'float16', 'float32']),
        (['probabilities', 'logits', 'probabilities'], ['float64', 'float64', 'float16']),
    ],
)
def test_the_evaluator_reads_the_mean_of_probabilities(
    tmp_path: Path, names: list[str], dtypes: list[str]
) -> None:
    random, labels = np.random.default_rng(0), np.arange(50, dtype=np.int32) % 3
    chances, read = [], []
    for seed, (name, dtype) in enumerate(zip(names, dtypes, strict=True)):
        scores = random.normal(size=(50, 3)) * 3
        stored = (scores if name == 'logits' else special.softmax(scores, axis=1)).astype(dtype)
        wide = stored.astype(np.float64)
        scaled = wide / wide.sum(1, keepdims=True) if dtype == 'float16' else wide
        chances.append(special.softmax(wide, axis=1) if name == 'logits' else scaled)
        read.append(classified(tmp_path / str(seed), {name: stored, 'labels': labels}))
    ensemble = written(joint.ensemble(read), tmp_path / 'joint')
    mean = np.mean(chances, axis=0)
    np.testing.assert_allclose(ensemble.arrays['probabilities'], mean, rtol=0, atol=1e-15)
    report = EVALUATOR.report_on(ensemble).metrics
    assert report['log_loss'].value == pytest.approx(metrics.log_loss(labels, mean), abs=1e-12)
    assert report['accuracy'].value == (mean.argmax(1) == labels).mean()


def test_predicted_classes_vote_and_do_not_mix_with_scores(tmp_path: Path) -> None:
    votes = [[0, 1, 2, 1], [0, 2, 1, 2], [1, 0, 1, 2]]
    read = [
        classified(tmp_path / str(seed), {'predicted': np.array(vote, np.int32)})
        for seed, vote in enumerate(votes)
    ]
    assert joint.ensemble(read).arrays['predicted'].tolist() == [0, 0, 1, 2]
    arrays = {'logits': np.zeros((4, 3), np.float32)}
    other = classified(tmp_path / 'other', arrays)
    with pytest.raises(UserError, match='3 of 4 members hold predicted classes alone'):
        joint.ensemble([*read, other])


def test_numbers_images_masks_and_texts(tmp_path: Path) -> None:
    read = members(tmp_path / 'regression', 'regression')
    values = np.mean([member.arrays['values'].astype(float) for member in read], axis=0)
    ensemble = written(joint.ensemble(read), tmp_path / 'numbers')
    rmse = EVALUATOR.report_on(ensemble).metrics['rmse'].value
    assert rmse**2 == pytest.approx(metrics.mean_squared_error(read[0].arrays['targets'], values), abs=1e-12)

    read = members(tmp_path / 'image', 'image')
    exact = np.mean([member.arrays['images'].astype(float) for member in read], axis=0)
    images = joint.ensemble(read).arrays['images']
    assert images.dtype == np.uint8 and np.abs(images - exact).max() <= 0.5

    read = members(tmp_path / 'segmentation', 'segmentation')
    masks = joint.ensemble(read).arrays['masks']
    counts = [np.sum([member.arrays['masks'] == label for member in read], axis=0) for label in range(3)]
    np.testing.assert_array_equal(masks, np.argmax(counts, axis=0))  # the first of equal counts

    read = members(tmp_path / 'language', 'language')
    ensemble = written(joint.ensemble(read), tmp_path / 'texts')
    chances = np.mean([np.exp(member.arrays['log_probs'].astype(float)) for member in read], axis=0)
    bits = -np.log2(chances).sum() / read[0].arrays['lengths'].sum()
    assert EVALUATOR.report_on(ensemble).metrics['bits_per_byte'].value == pytest.approx(bits, abs=1e-12)


@pytest.mark.parametrize(
    'kind', [name for name in kind_folders.names() if not kind_folders.declaration(name).ensemble]
)
def test_other_kinds_have_no_ensemble(kind: str) -> None:
    with pytest.raises(UserError, match=f'{kind}/__init__.py declares no `ensemble`. Kinds that do: class'):
        joint.joined(kind, [{}, {}])


def test_ids_in_another_order(tmp_path: Path) -> None:
    first = members(tmp_path, 'regression', 1)[0]
    order = np.random.default_rng(0).permutation(len(first.ids))
    arrays = {name: np.asarray(array)[order] for name, array in first.arrays.items()}
    ids = [first.ids[index] for index in order]
    other = outputs.read(sample_outputs.write(tmp_path / 'other', 'regression', arrays=arrays, ids=ids))
    ensemble = joint.ensemble([other, first])
    assert ensemble.ids == other.ids
    np.testing.assert_array_equal(ensemble.arrays['values'], other.arrays['values'])


def test_the_manifest_states_every_member(tmp_path: Path) -> None:
    read = []
    for seed, commits in enumerate((['a'], ['b', 'a'])):
        details = {'seed': str(seed), 'method': 'm', 'same': 'x', 'other': str(seed)}
        folder = tmp_path / str(seed)
        arrays = sample_outputs.arrays('regression', seed)
        manifest = outputs.Manifest(
            'regression',
            project='p',
            run=f'run {seed}',
            step=seed,
            checkpoint='best',
            dataset='d',
            details=details,
            commits=commits,
            code=[f'{name}{name}' for name in commits],
        )
        ids = [f'example {index}' for index in range(8)]
        outputs.write(folder, manifest, arrays, ids, dict.fromkeys(arrays, 'metres'))
        read.append(outputs.read(folder))
    ensemble = written(joint.ensemble(read, {'fold': '2'}), tmp_path / 'joint')
    manifest = ensemble.manifest
    assert (manifest.project, manifest.run, manifest.step, manifest.dataset) == ('p', '', None, 'd')
    assert (list(manifest.commits), list(manifest.code)) == (['a', 'b'], ['aa', 'bb'])
    assert manifest.details == {'same': 'x', 'fold': '2'}
    assert [
        (member.run, member.step, member.checkpoint, list(member.commits)) for member in manifest.members
    ] == [
        ('run 0', 0, 'best', ['a']),
        ('run 1', 1, 'best', ['b', 'a']),
    ]
    digests = [outputs.fingerprint(source.folder / 'manifest.json').sha256 for source in read]
    assert [member.manifest_sha256 for member in manifest.members] == digests
    assert manifest.members[0].details == read[0].manifest.details
    with pytest.raises(UserError, match=r'is an ensemble itself\. Pass its members instead'):
        joint.ensemble([ensemble, read[0]])


def test_what_differs_is_left_out_and_what_is_shared_is_kept(tmp_path: Path) -> None:
    inputs = np.zeros((8, 2, 2, 1), np.uint8)
    read = []
    for seed in range(2):
        arrays = sample_outputs.arrays('regression', seed)
        arrays |= {'sites': np.arange(8), 'noise': np.full(8, seed)}
        if seed:
            arrays['inputs'] = inputs
        else:
            del arrays['targets']
        read.append(outputs.read(sample_outputs.write(tmp_path / str(seed), 'regression', arrays=arrays)))
    ensemble = joint.ensemble(read)
    assert ensemble.arrays.keys() == {'values', 'targets', 'sites', 'inputs'}
    assert ensemble.notes == ['Left out, because it differs between the members: noise.']

"""Ensembles: the predictions of several models for the same examples, joined to one outputs folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from engine.errors import UserError
from engine.outputs import kind_folders, subset
from engine.outputs.contents import MANIFEST, fingerprint
from engine.outputs.joint import same_task
from engine.outputs.joint.member import Member
from engine.outputs.kind import INPUTS, Arrays, Kind
from engine.outputs.manifest import Manifest
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import equal

_ON_OTHER_EXAMPLES = 'An ensemble needs the same examples from all its members.'
_OF_ONE_RUN = ('method', 'seed')  # details that describe a member, and not what it predicts


@dataclass(frozen=True)
class Ensemble:
    """An ensemble, ready to be written.

    Attributes:
      manifest: what was predicted, and by which members.
      arrays: the joint predictions, with the labels and pictures of the examples.
      predictions: names of the joint predictions.
      ids: one id per example, in the order of the first member.
      meanings: the meaning of each array.
      notes: sentences on what is left out, and on data that may differ.
    """

    manifest: Manifest
    arrays: Arrays
    predictions: Sequence[str]
    ids: Sequence[str]
    meanings: dict[str, str]
    notes: Sequence[str]


def ensemble(members: Sequence[Outputs], details: Mapping[str, str] | None = None) -> Ensemble:
    """Joins the predictions of several outputs by the rule of their kind.

    Args:
      members: outputs of one kind, split and set of ids. The order of the ids may differ.
      details: for its manifest, beside those that all members share.

    Raises:
      UserError: there are fewer than two members, they do not match, or their kind has no such rule.
    """
    _check(members)
    declared, ids = kind_folders.declaration(members[0].kind), members[0].ids
    aligned = [subset.of_ids(member, ids) for member in members]
    for one, other in combinations(aligned, 2):
        same_task.check_labels(one, other)
    predictions = joined(members[0].kind, [member.arrays for member in aligned])
    shared, left_out = _other_arrays(declared, aligned)
    meanings = {name: _meaning(members, name) for name in shared}
    meanings |= dict.fromkeys(predictions, f'joint prediction of {len(members)} members')
    notes = [_on_left_out(left_out)] * bool(left_out) + _on_datasets(members)
    manifest = _manifest(members, details or {})
    return Ensemble(manifest, shared | predictions, tuple(predictions), ids, meanings, notes)


def rule(kind: str) -> Callable[[Sequence[Arrays]], dict[str, np.ndarray]]:
    """Returns what joins predictions of a kind; raises `UserError` if it declares nothing."""
    declared = kind_folders.declaration(kind).ensemble
    if declared is None:
        able = [name for name in kind_folders.names() if kind_folders.declaration(name).ensemble]
        raise UserError(
            f'outputs of kind {kind!r} cannot be joined: {kind_folders.file(kind)} declares no `ensemble`. '
            f'Kinds that do: {", ".join(able)}.'
        )
    return declared


def joined(kind: str, members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the joint predictions of several predictions of the same examples, in the same order.

    >>> logits = [np.array([[0, 100]], np.float32), np.array([[100, 0]], np.float32)]
    >>> joined('classification', [{'logits': each} for each in logits])['probabilities'].tolist()
    [[0.5, 0.5]]

    Raises:
      UserError: the kind has no rule for this.
    """
    return rule(kind)(members)


def _check(members: Sequence[Outputs]) -> None:
    if len(members) < 2:
        raise UserError(f'An ensemble needs at least two different outputs; {len(members)} is given.')
    first = members[0]
    for member in members:
        if member.manifest.members:
            raise UserError(f'{member.folder} is an ensemble itself. Pass its members instead.')
        same_task.check_kind(first, member)
        _check_split(first, member)
        same_task.check_ids(first, member, _ON_OTHER_EXAMPLES)
    for one, other in combinations(members, 2):
        same_task.check_classes(one, other)


def _check_split(first: Outputs, other: Outputs) -> None:
    one, two = first.manifest.split, other.manifest.split
    if one and two and one != two:
        raise UserError(
            f'{first.folder} predicts the split {one!r} and {other.folder} the split {two!r}. '
            f'{_ON_OTHER_EXAMPLES}'
        )


def _other_arrays(declared: Kind, members: Sequence[Outputs]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Returns labels, pictures and what is equal in all members, and the names of what is left out."""
    kept: dict[str, np.ndarray] = {}
    left_out = []
    for name in dict.fromkeys(name for member in members for name in member.arrays):
        arrays = [member.arrays[name] for member in members if name in member.arrays]
        if name in declared.from_data or name in INPUTS:
            kept[name] = arrays[0]
        elif name not in declared.arrays:
            if len(arrays) == len(members) and all(equal(arrays[0], array) for array in arrays[1:]):
                kept[name] = arrays[0]
            else:
                left_out.append(name)
    return kept, left_out


def _meaning(members: Sequence[Outputs], name: str) -> str:
    return next(member.manifest.arrays[name].meaning for member in members if name in member.arrays)


def _manifest(members: Sequence[Outputs], more: Mapping[str, str]) -> Manifest:
    manifests = [member.manifest for member in members]
    details = [dict(manifest.details) for manifest in manifests]
    return Manifest(
        manifests[0].kind,
        project=_common([manifest.project for manifest in manifests]),
        dataset=', '.join(dict.fromkeys(manifest.dataset for manifest in manifests if manifest.dataset)),
        dataset_fingerprint=_common([manifest.dataset_fingerprint for manifest in manifests]),
        split=next((manifest.split for manifest in manifests if manifest.split), ''),
        class_names=next((manifest.class_names for manifest in manifests if manifest.class_names), ()),
        category_ids=next((manifest.category_ids for manifest in manifests if manifest.category_ids), ()),
        ignore_label=manifests[0].ignore_label,
        details={
            name: text
            for name, text in details[0].items()
            if name not in _OF_ONE_RUN and all(other.get(name) == text for other in details)
        }
        | dict(more),
        commits=tuple(dict.fromkeys(name for manifest in manifests for name in manifest.commits)),
        code=tuple(dict.fromkeys(digest for manifest in manifests for digest in manifest.code)),
        members=tuple(map(_member, members)),
    )


def _common(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else ''


def _member(outputs: Outputs) -> Member:
    manifest = outputs.manifest
    return Member(
        project=manifest.project,
        run=manifest.run,
        step=manifest.step,
        checkpoint=manifest.checkpoint,
        dataset=manifest.dataset,
        dataset_fingerprint=manifest.dataset_fingerprint,
        details=dict(manifest.details),
        commits=tuple(manifest.commits),
        code=tuple(manifest.code),
        manifest_sha256=fingerprint(outputs.folder / MANIFEST).sha256,
    )


def _on_left_out(names: Sequence[str]) -> str:
    return f'Left out, because it differs between the members: {", ".join(names)}.'


def _on_datasets(members: Sequence[Outputs]) -> list[str]:
    names = list(dict.fromkeys(member.manifest.dataset for member in members if member.manifest.dataset))
    if len(names) < 2:
        return []
    return [f'The members state different datasets, with the same ids: {", ".join(names)}.']

"""What people call ids, labels and predictions in tables and in files of arrays."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.errors import UserError, did_you_mean

# In lower case, with _ for other signs. Hugging Face's `predict` returns `predictions` and `label_ids`.
ROLES: Mapping[str, tuple[str, ...]] = {
    'id': (
        'id', 'ids', 'image_id', 'example_id', 'sample_id', 'example', 'file', 'files', 'filename',
        'filenames', 'file_name', 'path', 'paths', 'image', 'image_path', 'name', 'names', 'key', 'index',
        'unnamed_0',
    ),
    'label': (
        'label', 'labels', 'label_ids', 'true_label', 'label_true', 'target', 'targets', 'truth', 'true',
        'y_true', 'y', 'y_test', 'gt', 'ground_truth', 'actual', 'true_class', 'class', 'arr_1',
    ),
    'prediction': (
        'prediction', 'predictions', 'predicted', 'pred', 'preds', 'y_pred', 'y_hat', 'predicted_label',
        'pred_label', 'label_pred', 'predicted_class', 'pred_class', 'logits', 'probabilities', 'probs',
        'output', 'outputs', 'values', 'masks', 'arr_0',
    ),
}  # fmt: skip


def find(path: Path, names: Iterable[str], given: Mapping[str, str]) -> dict[str, str | None]:
    """Returns role to the name of its column or array, None where there is none.

    Args:
      path: the file, for the message.
      names: names of the columns or arrays.
      given: role to name, where the owner of the file says so.

    Raises:
      UserError: there is no column or array of a given name.
    """
    names = list(names)
    for role, name in given.items():
        if name not in names:
            raise UserError(f'--column={role}={name}: {path} has no {name!r}. {did_you_mean(name, names)}')
    by_plain = {plain(name): name for name in reversed(names) if name not in given.values()}
    return {
        role: given.get(role) or next((by_plain[name] for name in usual if name in by_plain), None)
        for role, usual in ROLES.items()
    }


def origins(roles: Mapping[str, str | None], noun: str) -> list[str]:
    """Returns sentences on which column or array has which role.

    >>> origins({'id': None, 'label': 'y'}, 'column')
    ["label: the column 'y'", 'There are no ids: the rows are numbered from 0.']
    """
    named = [f'{role}: the {noun} {name!r}' for role, name in roles.items() if name]
    return named if roles['id'] else [*named, 'There are no ids: the rows are numbered from 0.']


def unused(names: Iterable[str], used: Iterable[str | None]) -> list[str]:
    """Returns a sentence that lists the columns or arrays that are not used; none if all are."""
    used = set(used)
    ignored = [name for name in names if name and name not in used]
    return [f'not used: {", ".join(map(repr, ignored))}'] if ignored else []


def plain(name: str) -> str:
    """Returns a name in lower case, with _ for other signs.

    >>> plain(' True Label')
    'true_label'
    """
    return re.sub(r'\W+', '_', name.strip().lower()).strip('_')

"""What cannot be saved as outputs is refused before training: by the dry run, and by the start."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.workspace import REPOSITORY
from tests.conftest import Program
from tests.engine.training.preflight import odd_tasks

HERE = 'tests.engine.training.preflight'
Refused = Callable[..., str]


def odd_config(config_file: Callable[..., Path], task: str, **bindings: Any) -> Path:
    """A small config with one of the odd tasks, and its parameters."""
    lines = [f'odd_tasks.{task}.{name} = {value!r}' for name, value in bindings.items()]
    path = config_file(*lines, STEPS='STEPS = 2')
    text = path.read_text().replace('import optax', f'import optax\nfrom {HERE} import odd_tasks')
    text = text.replace('@classification.Classification()', f'@odd_tasks.{task}()')
    path.write_text(text.replace('classification.Classification:', f'odd_tasks.{task}:'))
    return path


@pytest.fixture
def refused(config_file: Callable[..., Path], program: Program) -> Refused:
    """Returns the message that refuses an odd task in a dry run."""

    def message(task: str, **bindings: Any) -> str:
        code, out, err = program(
            'train', f'--gin_file={odd_config(config_file, task, **bindings)}', '--dry_run'
        )
        assert code == 2, out + err
        assert 'Traceback' not in out + err
        return err

    return message


def boxes(**changed: tuple) -> dict[str, tuple[str, tuple]]:
    """Predictions of detection in their padded form."""
    arrays = {
        'boxes': ('float32', ('B', 5, 4)),
        'scores': ('float32', ('B', 5)),
        'classes': ('int32', ('B', 5)),
        'counts': ('int32', ('B',)),
    }
    return {name: spec for name, spec in (arrays | changed).items() if spec}


LOGITS = {'logits': ('float32', ('B', 10))}
# (kind, arrays, truth, words of the message)
MISFITS: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
    'nine logits for ten classes': (
        'classification',
        {'logits': ('float32', ('B', 9))},
        {'labels': 'label'},
        'logits.npy has shape [10, 9], but [n, classes] is needed and the number of classes is 10',
    ),
    'one logit': ('classification', {'logits': ('float32', ('B',))}, {}, 'but [n, classes] is needed'),
    'a class for each of three heads': (
        'classification',
        {'predicted': ('int32', ('B', 3))},
        {},
        'but [n] is',
    ),
    'a mean over the batch': (
        'classification',
        {'logits': ('float32', (10,))},
        {},
        "'logits' of the shape [10]",
    ),
    'a number for all': ('classification', {'logits': ('float32', ())}, {}, 'its first axis must be that of'),
    'a misspelt name': (
        'classification',
        {'logit': LOGITS['logits']},
        {},
        "no array 'logit'. Did you mean 'logits'",
    ),
    'labels among the predictions': (
        'classification',
        LOGITS | {'label': ('int32', ('B',))},
        {},
        "no array 'label'. Did you mean 'labels'",
    ),
    'logits and probabilities': (
        'classification',
        LOGITS | {'probabilities': LOGITS['logits']},
        {},
        'needs one array',
    ),
    'half precision of the network': (
        'classification',
        {'logits': ('bfloat16', ('B', 10))},
        {},
        "'logits' as bfloat16, but float16, float32",
    ),
    'complex logits': ('classification', {'logits': ('complex64', ('B', 10))}, {}, "'logits' as complex64"),
    'probable classes': ('classification', {'predicted': ('float32', ('B',))}, {}, "'predicted' as float32"),
    'an additional array of half precision': (
        'classification',
        LOGITS | {'embedding': ('bfloat16', ('B', 3))},
        {},
        "'embedding' as bfloat16",
    ),
    'images as labels': ('classification', LOGITS, {'labels': 'image'}, 'labels.npy has shape [10, 8, 8, 1]'),
    'a misspelt field': (
        'classification',
        LOGITS,
        {'labels': 'lable'},
        "no such field. Did you mean 'label'?",
    ),
    'a misspelt truth': ('classification', LOGITS, {'label': 'label'}, "Did you mean 'labels'"),
    'no kind': ('clasification', LOGITS, {}, "'clasification'. Did you mean 'classification'?"),
    'nothing': ('classification', {}, {}, 'the arrays are: none'),
    'scores of six boxes': (
        'detection',
        boxes(scores=('float32', ('B', 6))),
        {},
        'scores has the shape [10, 6]',
    ),
    'counts without boxes': ('detection', {'counts': ('int32', ('B',))}, {}, 'there are no boxes'),
    'scores of boxes of no class': ('detection', boxes(counts=(), classes=()), {}, "one array 'classes'"),
    'boxes without classes': ('detection', boxes(classes=()), {}, "needs one array 'classes'"),
    'corners of three numbers': (
        'detection',
        boxes(boxes=('float32', ('B', 5, 3))),
        {},
        'boxes has the shape [10, 5, 3], but [n, k, 4] is needed',
    ),
    'counts of each class': ('detection', boxes(counts=('int32', ('B', 10))), {}, 'counts is int32 [10, 10]'),
    'counts of fractions': ('detection', boxes(counts=('float32', ('B',))), {}, 'counts is float32 [10]'),
    'one-hot classes': (
        'detection',
        boxes(classes=('int32', ('B', 5, 10))),
        {},
        'classes has the shape [10, 5, 10], but [n, k] is needed',
    ),
    'logits of pixels': ('segmentation', {'masks': ('float32', ('B', 8, 8, 10))}, {}, "'masks' as float32"),
    'masks with channels': (
        'segmentation',
        {'masks': ('uint8', ('B', 8, 8, 1))},
        {},
        'but [n, h, w] is needed',
    ),
    'labels for masks': (
        'segmentation',
        {'masks': ('uint8', ('B', 8, 8))},
        {'targets': 'label'},
        'targets.npy has shape [10]',
    ),
    'images of fractions': (
        'image',
        {'images': ('float32', ('B', 8, 8, 1))},
        {'targets': 'image'},
        "'images' as float32",
    ),
    'images of 32 bits': ('image', {'images': ('int32', ('B', 8, 8, 1))}, {}, "'images' as int32, but uint8"),
    'images of another size': (
        'image',
        {'images': ('uint8', ('B', 16, 16, 1))},
        {'targets': 'image'},
        'is needed and h is 16',
    ),
    'samples without features': (
        'generation',
        {'samples': ('uint8', ('B', 8, 8, 1))},
        {},
        "one array 'features'",
    ),
    'features of pixels': (
        'generation',
        {'samples': ('uint8', ('B', 8, 8, 1)), 'features': ('float32', ('B', 4, 4))},
        {},
        'but [n, d] is needed',
    ),
    'features of another length': (
        'generation',
        {
            'samples': ('uint8', ('B', 8, 8, 1)),
            'features': ('float32', ('B', 4)),
            'reference_features': ('float32', ('B', 5)),
        },
        {},
        'but [r, d] is needed and d is 4',
    ),
    'texts without lengths': ('language', {'log_probs': ('float32', ('B',))}, {}, "one array 'lengths'"),
    'a probability for each byte': (
        'language',
        {'log_probs': ('float32', ('B', 7)), 'lengths': ('int32', ('B',))},
        {},
        'but [n] is needed',
    ),
    'lengths of fractions': (
        'language',
        {'log_probs': ('float32', ('B',)), 'lengths': ('float32', ('B',))},
        {},
        "'lengths' as float32",
    ),
    'one value without its axis': ('regression', {'values': ('float32', ('B',))}, {}, 'but [n, d] is needed'),
    'targets without their axis': (
        'regression',
        {'values': ('float32', ('B', 1))},
        {'targets': 'label'},
        'targets.npy has shape [10]',
    ),
    'classes as labels of each class': (
        'multilabel',
        LOGITS,
        {'targets': 'label'},
        'but 1 (the example has the class), 0 (it does not) and -1 or NaN',
    ),
    'an embedding for each place': (
        'embeddings',
        {'embeddings': ('float32', ('B', 2, 3))},
        {},
        'but [n, d] is needed',
    ),
    'pixels in a row': ('dense', {'values': ('float32', ('B', 64))}, {}, 'but [n, h, w, c] is needed'),
    'complex values': ('regression', {'values': ('complex64', ('B', 1))}, {}, "'values' as complex64"),
}


@pytest.mark.parametrize('case', MISFITS)
def test_predictions_that_do_not_fit_their_kind(case: str, refused: Refused) -> None:
    kind, arrays, truth, words = MISFITS[case]
    message = refused('Returns', kind=kind, arrays=arrays, truth=truth)
    assert words in message
    assert 'Returns' in message


# (names in describe(), arrays of predict(), details, words of the message)
DESCRIPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, Any], str]] = {
    'an array without a meaning': (
        ('logits',),
        LOGITS | {'embedding': ('float32', ('B', 3))},
        {},
        "returns 'embedding', but describe() of Returns",
    ),
    'a meaning without an array': (('logits', 'embeddings'), LOGITS, {}, "the meaning of 'embeddings', but"),
    'a number as a detail': (('logits',), LOGITS, {'seed': 3}, "maps names to text, but is {'seed': 3}"),
    'a detail of two lines': (('logits',), LOGITS, {'note': 'a\nb'}, 'holds control characters'),
}


@pytest.mark.parametrize('case', DESCRIPTIONS)
def test_descriptions_that_differ_from_the_predictions(case: str, refused: Refused) -> None:
    meanings, arrays, details, words = DESCRIPTIONS[case]
    assert words in refused('Returns', arrays=arrays, meanings=meanings, details=details)


def test_one_name_for_a_prediction_and_its_truth(refused: Refused) -> None:
    arrays = LOGITS | {'labels': ('int32', ('B',))}
    message = refused('Returns', arrays=arrays, truth={'labels': 'label'})
    assert "states 'labels' in `predictions` and in `truth`" in message


def test_the_message_says_what_is_returned_and_what_is_needed(refused: Refused) -> None:
    message = refused('Returns', kind='detection', arrays=boxes(counts=(), scores=()))
    assert 'predictions() of Returns (tests/engine/training/preflight/odd_tasks.py:' in message
    assert 'returns boxes float32 [10, 5, 4], classes int32 [10, 5].' in message
    assert 'boxes float32 or float64 [m, 4]; scores float32 or float64 [m]; classes int32 [m]' in message
    assert 'or, for `pack`, boxes [n, k, 4], scores [n, k] and classes [n, k], which are -1 for' in message
    assert 'see engine/kinds/detection/__init__.py' in message


@pytest.mark.parametrize(
    ('what', 'words'),
    {
        'bare': 'returns a bare array, but arrays by name',
        'list': 'returns a value of type list, but',
        'nested': "returns a value of type dict as 'logits'",
        'none': "returns nothing as 'logits'",
        'number': "returns a value of type float as 'logits'",
        'keys': "returns random keys as 'logits'",
        'index': 'gives an array the name 3',
    }.items(),
)
def test_predictions_that_are_no_arrays_by_name(what: str, words: str, refused: Refused) -> None:
    assert words in refused('ReturnsOther', what=what)


@pytest.mark.parametrize(
    ('what', 'words'),
    {
        'bare': 'returns a bare array, but arrays by name',
        'nested': "returns a value of type dict as 'inputs'",
        'pair': "returns a value of type tuple as 'inputs'",
        'scalar': "returns 'scale' of the shape [], but its first axis must be that of the 8 examples",
        'table': "returns 'table' of the shape [3, 4]",
        'none': "returns nothing as 'images'",
        'keys': "returns random keys as 'keys'",
        'function': 'returns a value of type function',
    }.items(),
)
def test_debug_inputs_that_cannot_be_shown(what: str, words: str, refused: Refused) -> None:
    message = refused('Shows', what=what)
    assert f'debug_inputs() of Shows ({odd_tasks.__file__[len(str(REPOSITORY)) + 1 :]}:' in message
    assert words in message


def test_padded_boxes_and_any_inputs_are_taken(
    config_file: Callable[..., Path], program: Program, tmp_path: Path
) -> None:
    """To the end of a training: boxes, and inputs of any dtype and name."""
    path = odd_config(config_file, 'Detects', arrays=boxes(), kind='detection')
    code, out, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert code == 0, out + err
    with np.load(tmp_path / 'run/debug/first_batch.npz') as saved:
        assert {name: array.dtype.name for name, array in saved.items()} == {
            'images': 'float32',
            'tokens': 'int32',
            'waves': 'complex64',
            'left/right': 'uint8',
            'file': 'bool',
        }
    written = outputs.read(tmp_path / 'run/outputs/test')
    assert written.arrays['boxes'].shape == (0, 4)
    assert {path.name for path in (tmp_path / 'run/debug').glob('*.png')} == {
        'first_batch_images.png',
        'first_batch_left%2Fright.png',
    }


def test_the_start_refuses_what_the_dry_run_refuses(
    config_file: Callable[..., Path], program: Program, tmp_path: Path
) -> None:
    path = odd_config(config_file, 'Returns', arrays={'logits': ('float32', ('B', 9))})
    code, out, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert (code, 'the number of classes is 10' in err) == (2, True), out + err
    assert not (tmp_path / 'run').exists()

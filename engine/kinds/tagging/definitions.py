"""The metrics of tags: what they mean and where they are from."""

from engine.evaluation.results.metric import Definition

_TAGS = 'Tags other than O count; all tags if none is called O.'
_NO_TAG = 'no tag other than O occurs'
_SPAN = (
    'A predicted span is right if a span of the targets has the same first token, last token and type. '
    "Spans are those of conlleval and of seqeval's default mode: an I- tag that does not continue a span "
    'begins one.'
)
_CONLL = 'Tjong Kim Sang and De Meulder, CoNLL-2003 Shared Task, 2003; seqeval'
_SPANS = 'Spans'

DEFINITIONS = {
    'token_accuracy': Definition(
        'token accuracy',
        'fraction',
        'higher',
        'Share of the tokens with a target whose predicted tag is the target.',
        'scikit-learn, accuracy_score',
    ),
    'micro_f1': Definition(
        'micro F1 of tags',
        'fraction',
        'higher',
        f'Twice the right tags over the sum of true and predicted ones. {_TAGS}',
        'scikit-learn, f1_score with average="micro"',
        undefined=_NO_TAG,
    ),
    'macro_f1': Definition(
        'macro F1 of tags',
        'fraction',
        'higher',
        f'Mean of the F1 of the tags that occur in targets or predictions. {_TAGS}',
        'scikit-learn, f1_score with average="macro"',
        undefined=_NO_TAG,
    ),
    'exact_match': Definition(
        'exact match',
        'fraction',
        'higher',
        'Share of the sequences with a target all of whose tags are right.',
        'engine/kinds/tagging',
    ),
    'span_f1': Definition(
        'span F1',
        'fraction',
        'higher',
        f'Twice the right spans over the sum of true and predicted ones. {_SPAN}',
        _CONLL,
        undefined='there are no spans',
    ),
    'span_precision': Definition(
        'span precision',
        'fraction',
        'higher',
        f'Share of the predicted spans that are right. {_SPAN}',
        _CONLL,
        _SPANS,
        undefined='no span is predicted',
    ),
    'span_recall': Definition(
        'span recall',
        'fraction',
        'higher',
        f'Share of the true spans that are predicted. {_SPAN}',
        _CONLL,
        _SPANS,
        undefined='the targets have no span',
    ),
}

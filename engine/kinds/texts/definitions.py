"""The metrics of texts: what they mean and where they are from."""

from collections.abc import Mapping

from engine.evaluation.results.metric import Definition

_LEVENSHTEIN = (
    'Levenshtein, Binary codes capable of correcting deletions, insertions, and reversals, Soviet Physics '
    'Doklady 1966'
)
_CLOSEST = 'Of several references, the one with the fewest edits counts.'
_NO_CHARACTER, _NO_WORD = 'the references have no character', 'the references have no word'
_OF_PREDICTIONS = 'Predicted texts'

HEADLINE = ('bleu', 'chrf', 'character_error_rate', 'exact_match')


def definitions(bleu: str, chrf: str) -> Mapping[str, Definition]:
    """Returns the definitions of all metrics, in the order in which reports list them.

    Args:
      bleu: sacrebleu's signature of BLEU, which states all of its settings.
      chrf: that of chrF.
    """
    return {
        'bleu': Definition(
            'BLEU',
            'of 100',
            'higher',
            'Geometric mean of the precisions of n-grams of one to four words, over all texts, times a '
            'penalty for texts that are shorter than their references.',
            f'Papineni et al., BLEU, ACL 2002; sacrebleu, {bleu}',
        ),
        'chrf': Definition(
            'chrF',
            'of 100',
            'higher',
            'F-score of n-grams of one to six characters, over all texts; recall counts twice as much as '
            'precision.',
            f'Popović, chrF, WMT 2015; sacrebleu, {chrf}',
        ),
        'character_error_rate': Definition(
            'character error rate',
            'fraction',
            'lower',
            'Number of characters to insert, delete or replace in all texts, over the number of characters '
            f'of their references. More than 100 % is possible. {_CLOSEST}',
            _LEVENSHTEIN,
            undefined=_NO_CHARACTER,
        ),
        'word_error_rate': Definition(
            'word error rate',
            'fraction',
            'lower',
            'Number of words to insert, delete or replace in all texts, over the number of words of their '
            f'references. White space separates words. More than 100 % is possible. {_CLOSEST}',
            _LEVENSHTEIN,
            undefined=_NO_WORD,
        ),
        'exact_match': Definition(
            'exact match',
            'fraction',
            'higher',
            'Share of the texts that are equal to a reference, character by character.',
            'Rajpurkar et al., SQuAD, EMNLP 2016, without its normalisation of texts',
        ),
        'edit_distance': Definition(
            'edit distance',
            'characters',
            'lower',
            f'Mean over the texts of the number of characters to insert, delete or replace. {_CLOSEST}',
            _LEVENSHTEIN,
        ),
        'normalised_edit_distance': Definition(
            'normalised edit distance',
            'fraction',
            'lower',
            'Mean over the texts of the edit distance over the number of characters of the longer of '
            f'prediction and reference; 0 if both are empty. {_CLOSEST}',
            _LEVENSHTEIN,
        ),
        'length_ratio': Definition(
            'length ratio',
            'words per word',
            '',
            'Words of all texts over words of their references, as BLEU counts both. Of several references, '
            'the one with the closest length counts.',
            f'sacrebleu, {bleu}',
            undefined=_NO_WORD,
        ),
        'mean_length': Definition(
            'mean length',
            'characters',
            '',
            'Mean number of characters of a predicted text.',
            'engine/kinds/texts',
            _OF_PREDICTIONS,
        ),
        'repeated': Definition(
            'repeated texts',
            'fraction',
            '',
            'Share of the texts that were predicted for another example too.',
            'engine/kinds/texts',
            _OF_PREDICTIONS,
        ),
    }

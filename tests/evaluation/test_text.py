from research.evaluation import text

ROWS = [['metric', 'value'], ['accuracy', '98.9 %'], ['a|b', '']]


def test_aligned():
    assert text.aligned(ROWS) == 'metric    value\n--------  ------\naccuracy  98.9 %\na|b'


def test_markdown():
    assert text.markdown(ROWS) == ('| metric | value |\n| --- | --- |\n| accuracy | 98.9 % |\n| a\\|b |  |')

from engine.render import text_tables

ROWS = [['metric', 'value'], ['accuracy', '98.9 %'], ['a|b', '']]


def test_aligned():
    assert text_tables.aligned(ROWS) == 'metric    value\n--------  ------\naccuracy  98.9 %\na|b'


def test_markdown():
    assert text_tables.markdown(ROWS) == (
        '| metric | value |\n| --- | --- |\n| accuracy | 98.9 % |\n| a\\|b |  |'
    )

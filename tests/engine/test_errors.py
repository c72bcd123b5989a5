from engine.errors import MAX_LISTED_NAMES, did_you_mean


def test_the_nearest_names_are_suggested():
    assert did_you_mean('tset', ['train', 'val', 'test']) == "Did you mean 'test'?"


def test_all_names_are_listed_where_none_is_near():
    assert did_you_mean('x', ['train', 'val', 'test', 'val']) == 'There are: test, train, val.'
    assert did_you_mean('x', []) == 'There are none.'


def test_a_name_is_not_suggested_for_itself():
    assert did_you_mean('hf.npz', ['hf.npz', 'hg.npz', 'README.md']) == "Did you mean 'hg.npz'?"
    assert did_you_mean('hf.npz', ['hf.npz']) == 'There are none.'
    assert did_you_mean('hf.npz', ['hf.npz', 'README.md']) == 'There are: README.md.'


def test_capitals_and_initials_make_no_difference():
    macros = ['BATCH_SIZE', 'LEARNING_RATE', 'SEED']
    assert did_you_mean('lr', macros) == "Did you mean 'LEARNING_RATE'?"
    assert did_you_mean('seed', macros) == "Did you mean 'SEED'?"
    assert did_you_mean('batchsize', macros) == "Did you mean 'BATCH_SIZE'?"


def test_a_long_list_is_cut():
    names = [f'name_{index:03}' for index in range(MAX_LISTED_NAMES + 2)]
    assert did_you_mean('x', names[:-2]).endswith('name_039.')
    assert did_you_mean('x', names).endswith('name_039 and 2 more.')

"""The documentation of a project: without the template's examples, with pages and code of its own."""

import re

import pytest

from engine.forks.repository import Repository
from tests.engine.forks.forked import append, call, forked

MODEL = (
    '"""A model."""\n\n\nclass Petal:\n    """Counts.\n\n    Args:\n        width_of_it: units.\n    """\n\n'
)
MODEL += '    def __init__(self, width_of_it=3):\n        self.width = width_of_it\n'


@pytest.mark.slow
@pytest.mark.parametrize('examples', ['drop', 'keep'])
def test_the_site_of_a_project(template: Repository, examples: str) -> None:
    project = forked(template, f'--examples={examples}')
    append(
        project, 'docs/diary.md', '# Diary\n\nSee [the configs](../configs/base.gin) and [data](data.md).\n'
    )
    append(project, 'research/models/petal.py', MODEL)
    append(
        project,
        'research/metrics/cost.py',
        '"""Costs."""\n\n\ndef cost(labels):\n    """Returns the cost."""\n',
    )
    code, out, err = call(project.root, 'docs.sh')
    assert code == 0, err
    assert not re.search('WARNING|ERROR', out + err), err
    site = project.root / 'site'
    assert project.git('status', '--porcelain', '--', 'site') == ''
    index = (site / 'index.html').read_text()
    assert re.search('<title>.*petals.*</title>', index) and 'This project' in index
    assert 'href="files/configs/base.gin.html"' in (site / 'diary.html').read_text()
    assert '<code>width_of_it</code>' in (site / 'reference/research/models.html').read_text()
    assert 'cost.cost' in (site / 'reference/research/metrics.html').read_text()
    assert (site / 'benchmarks.html').exists() == (examples == 'keep')

"""The documentation of a project: without the template's examples, with pages and code of its own."""

import re

import pytest

from engine.forks.repository import Repository
from tests.engine.forks.forked import append, call, forked

DIARY = (
    '# Diary\n\n[The configs](../configs/base.gin) and [data](data.md).\n\n![A curve](../paper/curve.png)\n'
)
MODEL = (
    '"""A model."""\n\n\nclass Petal:\n    """Counts.\n\n    Args:\n        width_of_it: units.\n    """\n\n'
)
MODEL += '    def __init__(self, width_of_it=3):\n        self.width = width_of_it\n'


@pytest.mark.slow
@pytest.mark.parametrize('examples', ['drop', 'keep'])
def test_the_site_of_a_project(template: Repository, examples: str) -> None:
    project = forked(template, f'--examples={examples}')
    append(project, 'docs/diary.md', DIARY)
    append(project, 'research/models/petal.py', MODEL)
    append(
        project,
        'research/metrics/cost.py',
        '"""Costs."""\n\n\ndef cost(labels):\n    """Returns the cost."""\n',
    )
    (project.root / 'paper').mkdir()
    (project.root / 'paper/curve.png').write_bytes(b'\x89PNG')
    code, out, err = call(project.root, 'docs.sh')
    assert code == 0, err
    assert out.splitlines()[-1] == f'site: {project.root}/site/index.html'
    assert not re.search('WARNING|ERROR', out + err), err
    site = project.root / 'site'
    assert project.git('status', '--porcelain', '--', 'site') == ''
    index = (site / 'index.html').read_text()
    assert re.search('<title>.*petals.*</title>', index) and 'This project' in index
    assert 'href="files/configs/base.gin.html"' in (site / 'diary.html').read_text()
    assert 'src="files/paper/curve.png"' in (site / 'diary.html').read_text()
    assert (site / 'files/paper/curve.png').read_bytes() == b'\x89PNG'
    assert '<code>width_of_it</code>' in (site / 'reference/research/models.html').read_text()
    assert 'cost.cost' in (site / 'reference/research/metrics.html').read_text()
    assert (site / 'benchmarks.html').exists() == (examples == 'keep')


@pytest.mark.slow
@pytest.mark.parametrize(
    'link', ['no-such-page.md', 'data.md#no-such-place', '../README.md#no-such-place', '../no-file.txt']
)
def test_a_broken_link_fails_the_build(template: Repository, link: str) -> None:
    append(template, 'docs/diary.md', f'# Diary\n\n[there]({link})\n')
    code, _, err = call(template.root, 'docs.sh')
    assert code == 1
    assert "'diary.md' contains a link" in err and link.split('/')[-1].split('#')[-1] in err

"""Links, navigation, files and parameters of the site."""

import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from docs.generator import linked_files, navigation, reference, repository_pages
from docs.generator.docstrings import parameters
from docs.generator.links import Router
from engine.workspace import REPOSITORY
from tests.engine.test_documents import NAVIGATION

URIS = {
    'README.md': 'overview.md',
    'docs/README.md': 'README.md',
    'docs/data.md': 'data.md',
    'docs/recipes/vae.md': 'recipes/vae.md',
    'docs/outputs.schema.json': 'outputs.schema.json',
    'benchmarks/README.md': 'benchmarks.md',
    'benchmarks': 'benchmarks.md',
    'benchmarks/bare.py': 'files/benchmarks/bare.py.md',
}


@pytest.mark.parametrize(
    ('page', 'link', 'wanted'),
    [
        ('overview.md', 'docs/data.md', 'data.md'),
        ('overview.md', 'docs/data.md#boxes', 'data.md#boxes'),
        ('overview.md', 'docs/recipes/vae.md', 'recipes/vae.md'),
        ('overview.md', 'benchmarks', 'benchmarks.md'),
        ('overview.md', 'benchmarks/', 'benchmarks.md'),
        ('overview.md', 'docs/README.md', 'README.md'),
        ('README.md', '../README.md#speed', 'overview.md#speed'),
        ('recipes/vae.md', '../../README.md', '../overview.md'),
        ('recipes/vae.md', '../data.md', '../data.md'),
        ('recipes/vae.md', 'vae.md', 'vae.md'),
        ('benchmarks.md', 'bare.py', 'files/benchmarks/bare.py.md'),
        ('benchmarks.md', '../README.md#speed', 'overview.md#speed'),
        ('files/benchmarks/bare.py.md', '../docs/data.md', '../../data.md'),
        ('data.md', 'outputs.schema.json', 'outputs.schema.json'),
        ('data.md', '#boxes', '#boxes'),
        ('data.md', 'https://example.org/a.md', 'https://example.org/a.md'),
        ('data.md', 'mailto:ada@example.org', 'mailto:ada@example.org'),
        ('data.md', 'no-such-page.md', 'no-such-page.md'),  # MkDocs reports it
        ('reference/trainer.md', '../data.md', '../data.md'),  # written for the site
    ],
)
def test_a_link_leads_to_the_page_of_the_file(page: str, link: str, wanted: str) -> None:
    assert Router(URIS, page=page).route(link) == wanted


def test_a_link_to_a_dropped_example_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('docs.generator.links.REPOSITORY', tmp_path)
    assert Router(URIS, page='data.md').route('../configs/digits_cnn.gin') is None
    (tmp_path / 'there.txt').touch()
    assert Router(URIS, page='data.md').route('../there.txt') == '../there.txt'


@pytest.mark.parametrize(
    ('code', 'wanted'),
    [
        ('orders.Balanced', '../reference/orders.md#engine.parts.orders.Balanced'),
        ('@orders.Balanced()', '../reference/orders.md#engine.parts.orders.Balanced'),
        ('orders.Balanced.power', '../reference/orders.md#engine.parts.orders.Balanced'),
        ('orders.Balanced.power = 0.5', '../reference/orders.md#engine.parts.orders.Balanced'),
        ('orders.Balanced.power=0.5', '../reference/orders.md#engine.parts.orders.Balanced'),
        ('orders.BalancedMore', None),
        ('more.orders.Balanced', None),
        ('orders', None),
        ('optax.adamw', None),
        ('', None),
    ],
)
def test_a_binding_leads_to_the_reference(code: str, wanted: str | None) -> None:
    places = {'orders.Balanced': 'reference/orders.md#engine.parts.orders.Balanced'}
    assert Router(URIS, places, 'recipes/vae.md').reference(code) == wanted
    assert Router(URIS, places, 'reference/orders.md').reference(code) is None


def test_places_of_the_reference() -> None:
    places = reference.places()
    assert places['orders.Shuffled'] == 'reference/orders.md#engine.parts.orders.Shuffled'
    assert places['trainer.Trainer'] == 'reference/trainer.md#engine.training.trainer.Trainer'
    assert places['convnet.ConvNet'] == 'reference/research/models.md#research.models.convnet.ConvNet'


def modules(pattern: str) -> list[Any]:
    """Returns the modules of files of the engine, and its packages."""
    paths = sorted((REPOSITORY / 'engine').glob(pattern))
    names = ['.'.join(path.relative_to(REPOSITORY).with_suffix('').parts) for path in paths]
    return [import_module(name.removesuffix('.__init__')) for name in names]


def classes(module: Any) -> list[type]:
    """Returns the public classes of a module: those of its `__all__`, or those that it defines."""
    members = [getattr(module, name) for name in getattr(module, '__all__', vars(module)) if name[0] != '_']
    found = [member for member in members if inspect.isclass(member)]
    return [member for member in found if member.__module__.startswith(module.__name__)]


def test_all_parts_and_evaluations_with_parameters_are_in_the_reference() -> None:
    parts = [*modules('parts/*.py'), *modules('parts/*/__init__.py'), *modules('kinds/*/evaluate.py')]
    found = {
        f'{module.__name__.rpartition(".")[2]}.{part.__name__}'
        for module in parts
        for part in classes(module)
        if parameters(inspect.getdoc(part) or '')
    }
    assert len(found) > 30
    assert found - reference.places().keys() == {'linen.LinenModel'}  # linen.Linen makes it


def test_sections_without_pages_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository_pages, 'present', lambda: [repository_pages.PAGES[0]])
    monkeypatch.setattr(reference, 'pages', lambda: {'reference/trainer.md': ''})
    nav = [
        {'Start': ['README.md', {'Overview': 'overview.md'}]},
        {'More': [{'Benchmarks': 'benchmarks.md'}, {'Own': ['reference/research/models.md']}]},
        'reference/trainer.md',
        'reference/misspelt.md',
    ]
    assert navigation.without_missing(nav) == [
        {'Start': ['README.md', {'Overview': 'overview.md'}]},
        'reference/trainer.md',
        'reference/misspelt.md',
    ]


def test_no_page_is_in_the_navigation_twice() -> None:
    pages = re.findall(r'\S+\.md$', NAVIGATION, re.MULTILINE)
    assert len(pages) > 40
    assert len(pages) == len(set(pages))


def test_pages_of_a_project_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navigation, 'DOCS', tmp_path)
    monkeypatch.setattr(reference, 'pages', lambda: {'reference/research/datasets.md': ''})
    for name in ('README.md', 'data.md', 'notes/plan.md', 'diary.md'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    nav = [{'Start': ['README.md', {'Data': 'data.md'}]}]
    own = ['diary.md', 'notes/plan.md', 'reference/research/datasets.md']
    assert navigation.with_own_pages(nav) == [*nav, {'This project': own}]
    assert navigation.with_own_pages([*nav, {'Own': own}]) == [*nav, {'Own': own}]


def test_a_notebook_is_shown_as_text_and_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [
        {'cell_type': 'markdown', 'source': ['# First\n', 'steps']},
        {'cell_type': 'code', 'source': 'print(1)', 'outputs': ['1']},
    ]
    (tmp_path / 'steps.ipynb').write_text(json.dumps({'cells': cells}))
    monkeypatch.setattr(repository_pages, 'REPOSITORY', tmp_path)
    page = repository_pages.RepositoryPage('steps.ipynb', 'notebook.md')
    assert page.markdown() == '# First\nsteps\n\n```python\nprint(1)\n```'


def test_a_page_may_count_less_in_the_search() -> None:
    assert repository_pages.with_rank('# A', 1) == '# A'
    assert repository_pages.with_rank('# A', 0.2) == '---\nsearch:\n  boost: 0.2\n---\n\n# A'


def test_a_linked_file_is_shown_with_its_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked_files, 'REPOSITORY', tmp_path)
    (tmp_path / 'folder/.hidden').mkdir(parents=True)
    (tmp_path / 'folder/b.gin').write_text('B = 1\n')
    (tmp_path / 'folder/Dockerfile').write_text('FROM x\n')
    assert '# folder/b.gin\n\n``````gin\nB = 1\n``````\n' in linked_files.markdown('folder/b.gin')
    assert '``````docker\n' in linked_files.markdown('folder/Dockerfile')
    (tmp_path / 'LICENSE').write_text('You may.\n')
    assert linked_files.markdown('LICENSE').endswith('# LICENSE\n\n``````text\nYou may.\n``````\n')
    assert linked_files.markdown('folder').endswith('# folder\n\n- `Dockerfile`\n- `b.gin`\n')


def test_a_linked_picture_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked_files, 'REPOSITORY', tmp_path)
    (tmp_path / 'curve.png').write_bytes(b'\x89PNG\r\n')
    (tmp_path / 'curve.svg').write_text('<svg/>')
    (tmp_path / 'curve.csv').write_text('step,loss\n')
    assert [linked_files.uri(f'curve.{suffix}') for suffix in ('png', 'svg', 'csv')] == [
        'files/curve.png',
        'files/curve.svg',
        'files/curve.csv.md',
    ]


def test_links_of_all_forms_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (linked_files, repository_pages):
        monkeypatch.setattr(module, 'REPOSITORY', tmp_path)
    for name in ('a.py', 'b c.py', 'd/e.py', 'f.png', 'g.py'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'docs/own').mkdir(parents=True)
    (tmp_path / 'docs/own/x.md').write_text(
        '[a](../../a.py) [b](../../b%20c.py#L3) [d](../../d/) ![f](../../f.png) [there][g] [h](#h)\n'
        '[i](y.md) [j](https://example.org/a.py) [k](../../no.py) [l](../../../a.py)\n\n[g]: ../../g.py\n'
    )
    assert linked_files.find() == ('a.py', 'b c.py', 'd', 'f.png', 'g.py')


def test_code_of_a_project_that_describes_its_parameters_is_listed(tmp_path: Path) -> None:
    (tmp_path / 'nets.py').write_text(
        'class Net:\n  """A net.\n\n  Args:\n    width: of it.\n  """\n'
        'class Block:\n  """No parameters."""\n'
        'class _Hidden:\n  """H.\n\n  Args:\n    x: y.\n  """\n'
        'def helper():\n  """Helps."""\n'
    )
    (tmp_path / 'losses.py').write_text(
        'def one(x):\n  """A loss."""\ndef two(x):\n  pass\ndef _three():\n  """H."""\n'
    )
    assert reference.documented(tmp_path / 'nets.py') == ['Net']
    assert reference.documented(tmp_path / 'losses.py') == ['one']

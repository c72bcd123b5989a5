"""tests/test_configs.py in a project: broken configs fail their own tests; the evaluator has configs too."""

import os
import re
import subprocess
import sys
from pathlib import Path

from engine.workspace import REPOSITORY
from tests.engine.test_readme import clone

HEADER = '# An experiment.\n#   scripts/train.sh --gin_file=configs/{name}.gin\n\n'
BROKEN = {
    'import': 'from __gin__ import dynamic_registration\nimport nowhere\n',
    'raising': 'from __gin__ import dynamic_registration\nfrom research.models import raising\n',
    'syntax': 'STEPS == 3\n',
}
DOCUMENT = (REPOSITORY / 'docs/metrics.md').read_text(encoding='utf-8')
CHOICE = 'can_be_read or opens or evaluator or required_value'


def blocks(language: str) -> str:
    return '\n'.join(re.findall(rf'```{language}\n(.*?)```', DOCUMENT, re.DOTALL))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def outcomes(project: Path) -> dict[str, str]:
    """Runs the quick tests of a project's configs; returns the outcome by test."""
    command = ['-m', 'pytest', '-n0', '-rA', '--tb=line', '-p', 'no:cacheprovider', 'tests/test_configs.py']
    done = subprocess.run(
        [sys.executable, *command, '-k', CHOICE],
        cwd=project,
        env=os.environ | {'PYTHONPATH': str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = re.findall(r'^(PASSED|FAILED|ERROR) \S+::(\S+)', done.stdout, re.MULTILINE)
    return {test: outcome for outcome, test in lines}


def test_a_broken_config_fails_its_own_test_alone(tmp_path: Path) -> None:
    project = clone(tmp_path)
    write(project / 'research/models/raising.py', 'raise RuntimeError\n')
    for name, text in BROKEN.items():
        write(project / f'configs/{name}.gin', HEADER.format(name=name) + text)
    write(project / 'research/metrics/cost.py', blocks('python'))
    write(project / 'configs/evaluation/cost.gin', blocks('gin'))
    write(project / 'configs/evaluation/unknown.gin', blocks('gin').replace('expected_cost', 'no_cost'))
    results = outcomes(project)
    failed = {test for test, outcome in results.items() if outcome != 'PASSED'}
    unknown = 'configs/evaluation/unknown.gin'
    assert failed == {
        *(f'test_a_config_can_be_read[configs/{name}.gin]' for name in BROKEN),
        f'test_a_config_can_be_read[{unknown}]',
        f'test_a_config_of_the_evaluator_builds_it[{unknown}]',
    }
    assert results['test_a_config_of_the_evaluator_builds_it[configs/evaluation/cost.gin]'] == 'PASSED'

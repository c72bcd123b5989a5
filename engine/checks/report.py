"""The report of all checks: report.md and pictures for people, findings.json for programs."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from engine import files
from engine.checks.finding import EXCUSED, FAIL, PASS, SKIP, Finding
from engine.render import table as tables
from engine.render.table import Table

REPORT, FORMAT = 'report.md', 1


def write(folder: Path, title: str, findings: Mapping[str, Finding], overwrite: bool) -> None:
    """Writes the report folder, whole or not at all. `overwrite` replaces an earlier report."""
    with files.user_folder(folder, REPORT, overwrite) as temporary:
        parts = [f'# {title}\n\n{summary(findings)}.\n', tables.markdown(_table(findings))]
        parts += [
            _section(name, finding)
            for name, finding in findings.items()
            if finding.verdict in (FAIL, EXCUSED)
        ]
        for name, finding in findings.items():
            for caption, draw in finding.pictures.items():
                file = caption.lower().replace(' ', '_').replace(',', '') + '.png'
                draw(temporary / file)
                parts.append(f'## {caption}\n\n`{name}`: {finding.result}.\n\n![{caption}]({file})\n')
        (temporary / REPORT).write_text('\n'.join(parts), encoding='utf-8')
        (temporary / 'findings.json').write_text(_encoded(findings), encoding='utf-8')


def summary(findings: Mapping[str, Finding]) -> str:
    """Returns the number of findings of each verdict, such as `15 passed, 2 failed`."""
    counts = Counter(finding.verdict for finding in findings.values())
    names = {PASS: 'passed', FAIL: 'failed', EXCUSED: 'excused', SKIP: 'not applicable'}
    return ', '.join(f'{counts[verdict]} {name}' for verdict, name in names.items() if counts[verdict])


def line(name: str, finding: Finding) -> str:
    """Returns a finding as a line for the terminal, with the advice below it."""
    advice = f'\n{"":16}{"":20}-> {finding.advice}' if finding.advice else ''
    return f'{finding.verdict:16}{name:20}{finding.result}{advice}'


def _table(findings: Mapping[str, Finding]) -> Table:
    rows = [[finding.verdict, name, finding.result] for name, finding in findings.items()]
    return Table.of(['verdict', 'check', 'result'], rows)


def _section(name: str, finding: Finding) -> str:
    return f'## {finding.verdict}: `{name}`\n\n{finding.result}.\n\n{finding.advice}\n'


def as_json(findings: Mapping[str, Finding]) -> dict[str, dict[str, str]]:
    """Returns verdict, result and advice of each check by its name."""
    return {
        name: {'verdict': finding.verdict, 'result': finding.result, 'advice': finding.advice}
        for name, finding in findings.items()
    }


def _encoded(findings: Mapping[str, Finding]) -> str:
    return json.dumps({'format': FORMAT, 'checks': as_json(findings)}, indent=2) + '\n'

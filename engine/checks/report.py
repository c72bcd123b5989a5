"""What all checks found, as a folder: report.md with its pictures for people, findings.json for programs."""

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
    """Writes the folder whole, or nothing; an earlier report is replaced if `overwrite`."""
    with files.user_folder(folder, REPORT, overwrite) as aside:
        parts = [f'# {title}\n\n{summary(findings)}.\n', tables.markdown(_table(findings))]
        parts += [_section(name, each) for name, each in findings.items() if each.verdict in (FAIL, EXCUSED)]
        for name, finding in findings.items():
            for caption, draw in finding.pictures.items():
                file = caption.lower().replace(' ', '_').replace(',', '') + '.png'
                draw(aside / file)
                parts.append(f'## {caption}\n\n`{name}`: {finding.found}.\n\n![{caption}]({file})\n')
        (aside / REPORT).write_text('\n'.join(parts), encoding='utf-8')
        (aside / 'findings.json').write_text(_as_json(findings), encoding='utf-8')


def summary(findings: Mapping[str, Finding]) -> str:
    """Returns how many have which verdict."""
    counts = Counter(each.verdict for each in findings.values())
    names = {PASS: 'passed', FAIL: 'failed', EXCUSED: 'excused', SKIP: 'not applicable'}
    return ', '.join(f'{counts[verdict]} {name}' for verdict, name in names.items() if counts[verdict])


def line(name: str, finding: Finding) -> str:
    """Returns a finding for the terminal, advice below it."""
    advice = f'\n{"":16}{"":14}-> {finding.advice}' if finding.advice else ''
    return f'{finding.verdict:16}{name:14}{finding.found}{advice}'


def _table(findings: Mapping[str, Finding]) -> Table:
    rows = [[finding.verdict, name, finding.found] for name, finding in findings.items()]
    return Table.of(['verdict', 'check', 'found'], rows)


def _section(name: str, finding: Finding) -> str:
    return f'## {finding.verdict}: `{name}`\n\n{finding.found}.\n\n{finding.advice}\n'


def _as_json(findings: Mapping[str, Finding]) -> str:
    checks = {
        name: {'verdict': each.verdict, 'found': each.found, 'advice': each.advice}
        for name, each in findings.items()
    }
    return json.dumps({'format': FORMAT, 'checks': checks}, indent=2) + '\n'

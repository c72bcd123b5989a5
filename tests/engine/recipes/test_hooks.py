"""The tables of docs/tasks.md name all hooks, with their arguments, as the code has them."""

import inspect
import re

from engine.interfaces import BoundTask, Task
from engine.parts.supervised import Supervised
from engine.workspace import REPOSITORY

DOCUMENT = (REPOSITORY / 'docs/tasks.md').read_text(encoding='utf-8')
ROW = re.compile(r'^\| `(\w+)\((.*?)\)` \|', re.MULTILINE)


def section(heading: str) -> str:
    return DOCUMENT.partition(f'## {heading}\n')[2].partition('\n## ')[0]


def hooks(kind: type) -> dict[str, str]:
    """Returns the public methods that a class defines itself, with their arguments."""
    methods = {
        name: method
        for name, method in vars(kind).items()
        if inspect.isfunction(method) and not name.startswith('_')
    }
    return {name: ', '.join([*inspect.signature(method).parameters][1:]) for name, method in methods.items()}


def test_the_first_table_names_the_hooks_of_supervised_tasks() -> None:
    rows = dict(ROW.findall(section('The hooks, in the order in which they run')))
    assert rows == {name: arguments for name, arguments in hooks(Supervised).items() if name != 'bind'}


def test_the_second_table_names_the_methods_of_a_bound_task() -> None:
    assert dict(ROW.findall(section('A bound task of your own'))) == hooks(Task) | hooks(BoundTask)

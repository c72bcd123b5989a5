"""Draws docs/architecture.svg, the rooms of the engine and their imports: `python -m docs.draw_architecture`.

The arrows and the colours are computed from the sources. The positions of the boxes and their texts are
written by hand. An arrow A -> B means that A imports B. The picture leaves out arrows that other arrows
imply, and all arrows to the foundation, which any room may import.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from engine.workspace import REPOSITORY

PICTURE = REPOSITORY / 'docs' / 'architecture.svg'
JAX = {'jax', 'flax', 'optax', 'orbax', 'clu'}
INK, GREY, LINE = '#1f2933', '#52606d', '#7b8794'
WITH_JAX, WITHOUT_JAX, YOURS = '#dbeafe', '#dcfce7', '#fef3c7'

Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class Box:
    """Where a room is drawn: its centre, its width, and what is written below its name."""

    x: float
    y: float
    text: str
    width: float = 1.76
    height: float = 0.86


BOXES = {
    'commands': Box(6.29, 6.73, 'one short program per script', 12.02, 0.8),
    'playground': Box(13.17, 6.73, 'a run in\na notebook', 1.1, 0.8),
    'forks': Box(1.03, 5.3, 'fork and update\na project', 1.36),
    'config': Box(2.52, 5.3, 'Gin: reads, checks,\nexplains, saves', 1.36),
    'processes': Box(4.01, 5.3, 'several processes\nfor one run', 1.36),
    'checks': Box(5.51, 5.3, 'is the experiment\nsound?', 1.36),
    'releases': Box(7.0, 5.3, 'models to give\naway', 1.36),
    'prediction': Box(8.49, 5.3, 'predicts splits\nwith a checkpoint', 1.36),
    'sweeps': Box(9.99, 5.3, 'many runs of\none config', 1.36),
    'evaluation': Box(11.48, 5.3, 'metrics, reports,\ncomparisons', 1.36),
    'kinds': Box(12.97, 5.3, 'arrays and metrics\nof kinds of outputs', 1.36),
    'parts': Box(1.15, 3.85, 'tasks, losses,\naugmentation'),
    'conversion': Box(4.07, 3.85, 'outputs of\nother tools', 1.6),
    'training': Box(8.0, 3.85, 'the loop, batches,\ncheckpoints, observers', 2.3),
    'run_reader': Box(9.98, 3.85, 'reads runs from\ntheir files', 1.36),
    'mirrors': Box(11.47, 3.85, 'copies of runs\nfor other tools', 1.36),
    'reproduction': Box(12.98, 3.85, 'trains a run\nonce more', 1.4),
    'gradients': Box(0.87, 2.4, 'of a loss', 1.24),
    'network': Box(2.2, 2.4, 'a Flax model\nas functions', 1.24),
    'modes': Box(3.53, 2.4, 'trains or\nevaluates', 1.24),
    'runs': Box(5.05, 2.4, 'run folder, lock,\nsignals, records'),
    'sharding': Box(7.0, 2.4, 'arrays and steps\non devices'),
    'datasets': Box(8.95, 2.4, 'builds, reads, checks,\nshows datasets'),
    'outputs': Box(10.9, 2.4, 'the format of\npredictions'),
    'render': Box(9.93, 1.02, 'HTML, tables, charts', 2.1, 0.7),
}
FOUNDATION_BOXES = {
    'interfaces': Box(0.85, -0.2, 'task protocols', 1.17, 0.66),
    'variables': Box(2.08, -0.2, 'by their paths', 1.17, 0.66),
    'stored_trees': Box(3.31, -0.2, 'saved arrays', 1.17, 0.66),
    'hardware': Box(4.54, -0.2, 'devices, memory', 1.17, 0.66),
    'errors': Box(5.77, -0.2, 'messages, exits', 1.17, 0.66),
    'failures': Box(7.00, -0.2, 'of file systems', 1.17, 0.66),
    'files': Box(8.23, -0.2, 'atomic writes', 1.17, 0.66),
    'tensorboard': Box(9.46, -0.2, 'event files', 1.17, 0.66),
    'lists': Box(10.69, -0.2, 'CSV and TSV', 1.17, 0.66),
    'paths': Box(11.92, -0.2, 'as users write', 1.17, 0.66),
    'workspace': Box(13.14, -0.2, 'where things are', 1.17, 0.66),
}
LEGEND = {
    WITH_JAX: 'imports JAX, directly or through other rooms',
    WITHOUT_JAX: 'works without JAX',
}


@cache
def modules() -> dict[str, Path]:
    """Returns the file of each module of the engine, by its dotted name."""
    paths = [path for path in (REPOSITORY / 'engine').rglob('*.py') if 'templates' not in path.parts]
    return {'.'.join(path.relative_to(REPOSITORY).with_suffix('').parts): path for path in sorted(paths)}


@cache
def imports(module: str) -> frozenset[str]:
    """Returns the dotted names that a module imports, also inside its functions."""
    names = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return frozenset(names)


def room(name: str) -> str:
    """Returns the room of a module or name of the engine, such as 'training'; '' for other names."""
    parts = name.split('.')
    return parts[1] if parts[0] == 'engine' and len(parts) > 1 and parts[1] != '__init__' else ''


def import_graph() -> Graph:
    """Returns which rooms each room imports."""
    graph: dict[str, set[str]] = {room(module): set() for module in modules() if room(module)}
    for module in modules():
        if room(module):
            graph[room(module)] |= {room(name) for name in imports(module)} - {room(module), ''}
    return graph


def reachable(graph: Graph, start: str) -> set[str]:
    """Returns the rooms that a room imports, directly or through others."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        new = graph[todo.pop()] - seen
        seen |= new
        todo += new
    return seen


def drawn_graph() -> Graph:
    """Returns the arrows of the picture: the transitive reduction of the imports, without the foundation.

    Raises:
      graphlib.CycleError: if rooms import each other.
    """
    graph = {
        name: targets - FOUNDATION_BOXES.keys()
        for name, targets in import_graph().items()
        if name not in FOUNDATION_BOXES
    }
    TopologicalSorter(graph).prepare()
    return {
        name: {
            target
            for target in targets
            if not any(target in reachable(graph, other) for other in targets - {target})
        }
        for name, targets in graph.items()
    }


def needs_jax(name: str) -> bool:
    """Returns whether a module of the room, or of a room that it imports, imports JAX or a library on it."""
    rooms = reachable(import_graph(), name) | {name}
    return any(
        JAX & {imported.split('.')[0] for imported in imports(module)}
        for module in modules()
        if room(module) in rooms
    )


def draw_box(axes: Axes, name: str, box: Box, colour: str) -> None:
    """Draws a room with its name and its text."""
    corner = box.x - box.width / 2, box.y - box.height / 2
    patch = FancyBboxPatch(
        corner,
        box.width,
        box.height,
        'round,pad=0,rounding_size=0.1',
        facecolor=colour,
        edgecolor=LINE,
        zorder=2,
    )
    patch.set_gid(f'room:{name}')
    axes.add_patch(patch)
    top = box.y + box.height / 2
    axes.text(box.x, top - 0.2, name, ha='center', va='center', color=INK, size=11, weight='bold', zorder=3)
    axes.text(
        box.x,
        (top - 0.32 + corner[1]) / 2,
        box.text,
        ha='center',
        va='center',
        color=GREY,
        size=8.6,
        zorder=3,
    )


def ends(source: Box, target: Box) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns where an arrow leaves one box and meets another."""
    if abs(source.y - target.y) < 0.5:  # side by side
        side = 1 if target.x > source.x else -1
        return (source.x + side * source.width / 2, source.y), (target.x - side * target.width / 2, target.y)
    down = 1 if target.y < source.y else -1
    reach = source.width / 2 - 0.2
    shift = min(max(target.x - source.x, -reach), reach) * (1.0 if source.width > 4 else 0.6)
    reach = target.width / 2 - 0.2
    offset = min(max(source.x - target.x, -reach), reach) * 0.6 if source.width <= 4 else 0.0
    start = source.x + shift, source.y - down * source.height / 2
    return start, (target.x + offset, target.y + down * target.height / 2)


def draw_arrow(axes: Axes, source: str, target: str) -> None:
    """Draws an import of one room by another."""
    start, end = ends(BOXES[source], BOXES[target])
    arrow = FancyArrowPatch(
        start,
        end,
        arrowstyle='-|>',
        mutation_scale=11,
        shrinkA=0,
        shrinkB=1.5,
        color=LINE,
        linewidth=1.2,
        zorder=1,
    )
    arrow.set_gid(f'import:{source}:{target}')
    axes.add_patch(arrow)


def colour(name: str) -> str:
    """Returns the colour of a room."""
    return WITH_JAX if needs_jax(name) else WITHOUT_JAX


def draw(axes: Axes) -> None:
    """Draws the rooms, their imports, your folders above and the foundation below."""
    axes.set(xlim=(0, 14), ylim=(-0.85, 8.75))
    axes.axis('off')
    frame = FancyBboxPatch(
        (0.08, -0.7), 13.84, 8.15, 'round,pad=0,rounding_size=0.12', fill=False, edgecolor=LINE
    )
    axes.add_patch(frame)
    axes.text(0.28, 7.31, 'engine/, the template', va='center', color=GREY, size=9.5)
    text = 'Configs name what they use of research/ and engine/parts/. The engine imports none of your files.'
    draw_box(axes, 'yours: configs/   data/   research/', Box(7.0, 8.2, text, 13.84, 0.8), YOURS)
    graph = drawn_graph()
    for name, targets in graph.items():
        draw_box(axes, name, BOXES[name], colour(name))
        for target in sorted(targets):
            draw_arrow(axes, name, target)
    for name, box in FOUNDATION_BOXES.items():
        draw_box(axes, name, box, colour(name))
    draw_legend(axes)


def draw_legend(axes: Axes) -> None:
    """Says what arrows and colours mean."""
    meaning = (
        'A → B: A imports B. Arrows that other arrows imply are left out. So are arrows to the bottom row.'
    )
    axes.text(0.28, 1.2, meaning, va='center', color=GREY, size=8.5)
    for index, (background, meaning) in enumerate(LEGEND.items()):
        x = 0.28 + 3.9 * index
        axes.add_patch(Rectangle((x, 0.73), 0.26, 0.2, facecolor=background, edgecolor=LINE))
        axes.text(x + 0.38, 0.83, meaning, va='center', color=GREY, size=8.5)


def main(path: Path = PICTURE) -> None:
    """Writes the picture."""
    with mpl.rc_context({'svg.hashsalt': 'architecture', 'font.family': 'DejaVu Sans'}):
        figure = Figure(figsize=(14, 9.35))
        draw(figure.add_axes((0, 0, 1, 1)))
        figure.savefig(path, metadata={'Date': None, 'Creator': None}, facecolor='white')


if __name__ == '__main__':
    main()

"""Makes outputs of the predictions of another tool: `scripts/import.sh <files>... --output=FOLDER`."""

import argparse
from pathlib import Path

from engine import errors, outputs
from engine.commands import command_line, outputs_arguments
from engine.conversion import class_list, sources
from engine.conversion.converted import MEANINGS
from engine.render.escape import printable

EXAMPLES = """\
  scripts/import.sh predictions.csv --output=outputs/svm               id, label, prediction or prob_<class>
  scripts/import.sh predictions.npz --output=outputs/torch             logits and labels of a trainer
  scripts/import.sh results.json --annotations=instances.json --output=outputs/detector       COCO
  scripts/import.sh runs/detect/labels --annotations=data/labels/test --images=data/images/test \\
      --classes=data.yaml --output=outputs/yolo                        YOLO
"""
ROLES = ('id', 'label', 'prediction')


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser(
        'import.sh', 'Makes an outputs folder of the predictions of another tool.', EXAMPLES
    )
    arguments.add_argument(
        'inputs',
        nargs='+',
        metavar='FILE',
        help='.csv, .tsv, .npz, .npy or .json, or a folder of YOLO labels',
    )
    arguments.add_argument('--output', required=True, metavar='FOLDER', help='the outputs folder to write')
    arguments.add_argument('--annotations', metavar='PATH', help="COCO's annotations, or true labels of YOLO")
    arguments.add_argument('--images', metavar='FOLDER', help='pictures of YOLO, for the sizes of boxes')
    arguments.add_argument(
        '--classes', metavar='FILE', help='names of the classes: a line each, or data.yaml'
    )
    arguments.add_argument(
        '--column',
        action='append',
        default=[],
        metavar='ROLE=NAME',
        help='column or array of id, label, prediction',
    )
    arguments.add_argument('--kind', choices=sources.KINDS, default='', help='recognised by default')
    arguments.add_argument('--dataset', default='', help='name of the dataset, for titles')
    arguments.add_argument('--split', default='', help='name of the split, for titles and comparisons')
    outputs_arguments.add_details(arguments)
    arguments.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    arguments.add_json_argument('the folder of the outputs, and what it was made of')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Writes the outputs and prints what was taken from where; returns the exit code."""
    target = Path(arguments.output).expanduser()
    source = sources.Source(
        [Path(path).expanduser() for path in arguments.inputs],
        _path(arguments.annotations),
        _path(arguments.images),
        class_list.read(Path(arguments.classes).expanduser()) if arguments.classes else (),
        outputs_arguments.pairs('--column', arguments.column, ROLES),
        arguments.kind,
    )
    converted = sources.convert(source)
    manifest = outputs.Manifest(
        converted.kind,
        dataset=arguments.dataset,
        split=arguments.split,
        class_names=converted.class_names,
        category_ids=converted.category_ids,
        details=outputs_arguments.details(arguments),
    )
    meanings = {name: MEANINGS[name] for name in converted.arrays}
    outputs.write(target, manifest, converted.arrays, converted.ids, meanings, overwrite=arguments.overwrite)
    for note in filter(None, (*converted.notes, f'{converted.kind}: {len(converted.ids)} examples')):
        print(printable(note))
    print(printable(f'outputs: {target}'))
    if arguments.json:
        counts = {'kind': converted.kind, 'examples': len(converted.ids)}
        command_line.print_json({'outputs': target, **counts, 'notes': converted.notes})
    return errors.EXIT_FINISHED


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


if __name__ == '__main__':
    command_line.run(main, parser())

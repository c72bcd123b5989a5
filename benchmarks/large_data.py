"""A dataset of ImageNet's size, of small JPEGs: built, killed and built again, opened, read, checked.

    scripts/benchmark.sh large_data                       1.3 million images of 1,000 classes
    scripts/benchmark.sh large_data --images=130000

The images are hard links to 2,048 files, in `<split>/<class>/`, and the commands are those of a user. So the
build scans, reads, decodes and writes as many files as there are links, but the system reads few from the
disk. Images of ImageNet are a hundred times as large: they take longer to read and to decode.

1.3 million images need 4.5 GB in the folder of temporary files while they are built.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from benchmarks import pictures
from benchmarks.report import Bound, number, print_bounds
from engine.workspace import REPOSITORY

SIZE, FILES_PER_SIDE, SHEETS = 40, 16, 8  # pixels; images along a side of a sheet; sheets
CLASSES, VAL_SHARE = 1000, 26  # of 26 images, one is in val, as in ImageNet
BATCH_SIZE, BATCHES, STEP = 256, 100, 1_000_000
SAMPLE = 10_000

# Opens the dataset and reads batches. Prints seconds, bytes and images per second as JSON.
READ = """
import json, resource, sys, time
from engine.datasets.load import load
from engine.parts.crops import Crops
from engine.sharding import Jit
from engine.training.batches import decoding
from engine.datasets.orders.order import MAIN, Part, Shuffled
from engine.training.batches.training import training_source

def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

imported, start = megabytes(), time.perf_counter()
data = decoding.bound(load(sys.argv[1]), Crops(size=32))
opened = time.perf_counter() - start
start = time.perf_counter()
parts = {MAIN: Part(data, BATCH_SIZE)}
source = training_source(parts, Shuffled().bind(parts, 0), 0, Jit())
source.inputs(STEP, 1)
first = time.perf_counter() - start
start, cpu = time.perf_counter(), time.process_time()
for step in range(STEP + 1, STEP + 1 + BATCHES):
    source.inputs(step, 1)
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
images = BATCHES * BATCH_SIZE
print(json.dumps({'open_seconds': opened, 'first_batch_seconds': first, 'images_per_second': images / seconds,
                  'images_per_cpu_second': images / cpu, 'megabytes': megabytes() - imported}))
"""


def write_links(folder: Path, count: int) -> None:
    """Writes `count` images, as links to a few files, into `<split>/<class>/`."""
    pool = folder / 'pool'
    pool.mkdir()
    files = []
    for seed in range(SHEETS):
        sheet = pictures.picture(seed, SIZE * FILES_PER_SIDE, SIZE * FILES_PER_SIDE)
        for row, column in np.ndindex(FILES_PER_SIDE, FILES_PER_SIDE):
            image = sheet[SIZE * row : SIZE * (row + 1), SIZE * column : SIZE * (column + 1)]
            files.append(pool / f'{len(files):05}.jpg')
            files[-1].write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=85))
    val, linked = count // VAL_SHARE, 0
    for split, size in (('train', count - val), ('val', val)):
        for name in range(min(CLASSES, size)):
            target = folder / 'images' / split / f'n{name:08}'
            target.mkdir(parents=True)
            for index in range(name, size, CLASSES):
                os.link(files[linked % len(files)], target / f'{split}_{index:08}.jpg')
                linked += 1


class DatasetCommand:
    """A command of `scripts/dataset.sh` on the images.

    Args:
      folder: of the images and the workspace.
      arguments: after the name of the program.
    """

    def __init__(self, folder: Path, *arguments: str):
        environment = os.environ | {'WORKSPACE': str(folder / 'workspace')}
        self._start, self._output = time.perf_counter(), tempfile.TemporaryFile('w+')  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'engine.commands.dataset', *arguments],
            cwd=REPOSITORY, env=environment, stdout=self._output, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def end(self) -> dict[str, float]:
        """Waits for its end. Returns seconds, CPU seconds, the peak of its memory and its exit code."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return {
            'seconds': time.perf_counter() - self._start,
            'cpu_seconds': usage.ru_utime + usage.ru_stime,
            'peak_megabytes': usage.ru_maxrss / 1000,
            'code': self.process.returncode,
        }

    def output(self) -> str:
        """Returns what it printed."""
        self._output.seek(0)
        return self._output.read()


def kill_while_building(folder: Path, name: str, workspace: Path) -> None:
    """Starts a build and kills it as soon as it writes records."""
    command = DatasetCommand(folder, 'build', name)
    while command.process.poll() is None and not [*workspace.rglob('incomplete.*')]:
        time.sleep(0.2)
    time.sleep(5)
    command.process.send_signal(signal.SIGKILL)
    command.end()


def measured(folder: Path, count: int) -> dict[str, Any]:
    """Returns what was measured of each command."""
    write_links(folder, count)
    name, workspace = f'images:{folder / "images"}', folder / 'workspace'
    kill_while_building(folder, name, workspace)
    command = DatasetCommand(folder, 'build', name)
    build = command.end()
    print(command.output())
    leftovers = [*workspace.rglob('incomplete.*'), *workspace.rglob('.*.tmp')]
    again = DatasetCommand(folder, 'build', name).end()
    command = DatasetCommand(folder, 'check', name, f'--sample={SAMPLE}')
    check = command.end()
    print(command.output())
    constants = f'BATCH_SIZE, BATCHES, STEP = {BATCH_SIZE}, {BATCHES}, {STEP}\n'
    done = subprocess.run(
        [sys.executable, '-c', constants + READ, name],
        cwd=REPOSITORY, env=os.environ | {'WORKSPACE': str(workspace)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    read = json.loads(done.stdout.splitlines()[-1])
    return {'build': build, 'leftovers': len(leftovers), 'again': again, 'check': check, 'read': read}


def main() -> None:
    """Measures building and reading, and prints a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--images', type=int, default=1_300_000)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        results = measured(Path(folder), count)
    read, build = results['read'], results['build']
    bounds = {
        'images built in a second of CPU time': Bound(count / build['cpu_seconds']),
        'peak memory of the build, MB': Bound(build['peak_megabytes']),
        'exit code of the build after a kill': Bound(build['code'], at_most=0),
        'files that the killed build left': Bound(results['leftovers'], at_most=0),
        'seconds of the same command when all is built': Bound(results['again']['seconds']),
        f'CPU seconds of check --sample={SAMPLE}': Bound(results['check']['cpu_seconds']),
        'seconds to open the dataset': Bound(read['open_seconds']),
        f'seconds to the batch of step {STEP:,}': Bound(read['first_batch_seconds'], at_most=2),
        'random images read and decoded in a second': Bound(read['images_per_second']),
        'memory of the open dataset, MB': Bound(read['megabytes']),
    }
    print(f'{number(count)} images')
    print(json.dumps({'benchmark': 'large_data', 'images': count, **results, 'bounds': print_bounds(bounds)}))


if __name__ == '__main__':
    main()

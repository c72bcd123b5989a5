"""How fast a training is, where its time goes, and what bounds it."""

import resource
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import jax

from engine import files
from engine.interfaces import State
from engine.runs.json_lines import JsonLines
from engine.runs.text_log import logger
from engine.training.cost import nvml
from engine.training.cost.flops import Flops
from engine.training.cost.peaks import ideal_seconds, peaks_of
from engine.training.logs.clock import BUSY, TOTAL
from engine.training.observers import advice, performance_report
from engine.training.observers.bottleneck import bottleneck, summed, training_seconds
from engine.training.observers.observer import ObservedRun, Observer

MIN_STEPS = 10  # fewer say nothing about what bounds a training


class Performance(Observer):
    """Writes a line of `logs/performance.jsonl` for each evaluation, and finally what bounds the speed.

    `logs/performance.txt` holds this sentence and the figures behind it. TensorBoard shows the numbers as
    `performance/<name>`. docs/performance.md explains them.
    """

    def on_start(self, run: ObservedRun) -> None:
        """Opens the file, and starts to sample the GPUs."""
        self._run, self._written, self._newest = run, run.step, run.step
        self._laps: list[tuple[int, Mapping[str, float]]] = []  # whose lines are not written yet
        self._seconds: Counter[str] = Counter()
        self._file = JsonLines(run.folder / 'logs' / 'performance.jsonl', run.step)
        self._device = jax.local_devices()[0]
        self._gpu = nvml.sampler()

    def on_progress(self, step: int) -> None:
        """Notes the newest step, and writes lines: the device works meanwhile."""
        self._newest = step
        self._write_laps()

    def on_evaluation(
        self, step: int, metrics: Mapping[str, float], seconds: Mapping[str, float], state: State
    ) -> None:
        """Notes the seconds. The device idles until the next step, so the line is written later."""
        self._laps.append((step, seconds))

    def on_save(self, step: int) -> None:
        """Passes the lines on to the operating system."""
        self._write_laps()
        self._file.flush()

    def on_end(self, status: str) -> None:
        """Writes the last line, and says what bounds the training."""
        self._laps.append((self._newest, self._run.seconds()))
        self._write_laps()
        self._file.close()
        if self._gpu:
            self._gpu.close()
        if status != 'failed' and self._newest - self._run.step >= MIN_STEPS:
            self._report()

    def _write_laps(self) -> None:
        laps, self._laps = self._laps, []
        for step, seconds in laps:
            self._add(step, seconds)

    def _add(self, step: int, seconds: Mapping[str, float]) -> None:
        """Adds seconds to those of the whole training; writes a line if there are new steps."""
        self._seconds.update(seconds)
        if step == self._written:
            return
        numbers = self._numbers(step - self._written, summed(seconds), self._flops())
        numbers |= self._gpu.lap() if self._gpu else {}
        self._written = step
        self._file.write({'step': step, 'seconds': summed(seconds)} | numbers)
        self._file.flush()
        self._run.show(step, {f'performance/{name}': value for name, value in numbers.items()})

    def _flops(self) -> Flops | None:
        """Returns the operations of a step if they are counted by now; the loop does not wait for them."""
        counted = self._run.flops
        return counted.result() if counted.done() and not counted.exception() else None

    def _numbers(self, steps: int, seconds: Mapping[str, float], flops: Flops | None) -> dict[str, float]:
        """Returns the figures of some steps."""
        training = training_seconds(seconds)
        numbers: dict[str, float] = {
            'examples_per_second': round(steps * self._run.batch_size / max(seconds[TOTAL], 1e-9), 1),
            'step_ms': round(1e3 * training / steps, 4),
            'device_busy': round(min(1.0, seconds[BUSY] / max(training, 1e-9)), 4),
            'compile_seconds': round(self._run.compile_seconds, 3),
            **peak_memory(),
        }
        if flops:
            numbers['flops_per_step'] = flops.total
            numbers['flops_per_second'] = round(flops.total * steps / max(training, 1e-9))
            ideal = ideal_seconds(flops, self._device.device_kind)
            if ideal is not None:
                numbers['mfu'] = round(ideal * steps / max(training, 1e-9), 4)
        return numbers

    def _report(self) -> None:
        steps = self._newest - self._run.step
        error = self._run.flops.exception()  # the count has long ended, or is waited for here
        flops = None if error else self._run.flops.result()
        numbers = self._numbers(steps, summed(self._seconds), flops)
        facts = advice.Facts(
            settings=self._run.settings,
            steps_per_epoch=round(1 / max(self._run.epoch(1), 1e-9)),
            seconds=self._seconds,
            step_seconds=numbers['step_ms'] / 1e3,
            utilisation=numbers.get('mfu'),
            type=flops.main_type if flops else '',
            peaks=peaks_of(self._device.device_kind),
            device=self._device.device_kind,
        )
        sentence = advice.sentence(bottleneck(self._seconds), facts)
        logger.info('%s', sentence)
        text = performance_report.text(sentence, facts, steps, numbers, flops, error)
        with files.atomic_file(self._run.folder / 'logs' / 'performance.txt') as temporary:
            temporary.write_text(text, encoding='utf-8')


def peak_memory() -> dict[str, float]:
    """Returns the most bytes in use so far: of a device, or of this process if devices do not report it."""
    statistics: list[dict[str, Any]] = [device.memory_stats() or {} for device in jax.local_devices()]
    peaks = [each['peak_bytes_in_use'] for each in statistics if 'peak_bytes_in_use' in each]
    if peaks:
        return {'peak_device_bytes': max(peaks)}
    unit = 1 if sys.platform == 'darwin' else 1024
    return {'peak_process_bytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}

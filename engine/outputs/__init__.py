"""The outputs format: predictions as plain files, written and read with NumPy alone.

An outputs folder holds `manifest.json`, `ids.txt` (one example id per line) and one `.npy` file per array. It
may hold `predictions.csv` and PNG files in `images/`, for people. The manifest states bytes and sha256 of
every other file: a folder without a manifest is unfinished, and a folder that disagrees with it is damaged.
The evaluator writes `evaluation/` into it. docs/outputs.md describes the format.
"""

from engine.outputs.contents import MANIFEST, fingerprint
from engine.outputs.finding import find, is_outputs
from engine.outputs.manifest import Manifest
from engine.outputs.outputs import Outputs
from engine.outputs.reading import read
from engine.outputs.writing import write

__all__ = ['MANIFEST', 'Manifest', 'Outputs', 'find', 'fingerprint', 'is_outputs', 'read', 'write']

"""Virtual environments for what benchmarks compare the template with. They install by themselves.

Training imports none of these packages, and some of them conflict with its pins.
"""

import sys
from pathlib import Path

from engine.errors import RunError
from engine.runs.environment import installation
from engine.runs.environment.installation import Creation


def python(name: str, creation: Creation | None = None) -> Path:
    """Returns the Python of an environment, as `installation.python` does.

    Args:
      name: of the environment, such as 'benchmarks'.
      creation: creates the environment.

    Raises:
      SystemExit: the installation failed; with what the installer has said.
    """
    try:
        return installation.python(name, creation)
    except RunError as error:
        sys.exit(f'error: {error}')

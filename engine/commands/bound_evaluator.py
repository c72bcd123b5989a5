"""The evaluator as a config binds it. Gin is imported only if there is one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator

if TYPE_CHECKING:
    from engine.config.config import Config


def build(
    gin_file: Sequence[str], gin_bindings: Sequence[str], trust: bool = False
) -> tuple[Evaluator, 'Config | None']:
    """Returns the evaluator and its config, None if nothing is bound.

    Args:
      gin_file: configs.
      gin_bindings: statements of Gin.
      trust: whether the user trusts configs that belong to runs from elsewhere.

    Raises:
      UserError: for a mistake in the config, or in a file of metrics that it names.
    """
    if not gin_file and not gin_bindings:
        return Evaluator(), None
    from engine.commands import trusted
    from engine.config.config import Config

    trusted.check_configs(gin_file, trust)
    try:
        config = Config(gin_file, gin_bindings)
    except SyntaxError as error:  # of a file of metrics
        raise UserError(f'{error.filename}:{error.lineno}: {error.msg}.') from error
    return config.build(Evaluator), config


def operative(config: 'Config | None') -> str:
    """Returns what was bound, defaults too, once all has been evaluated; '' without Gin.

    Raises:
      UserError: for a binding that nothing has used. A metric uses its own when it is called.
    """
    if not config:
        return ''
    config.check()
    return config.text().strip()

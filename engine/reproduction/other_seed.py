"""The Gin statement that gives a training another seed."""

import re

from engine.errors import UserError
from engine.run_reader import settings

_TRAINER = re.compile(r'^(?P<trainer>(?:\S*[./])?Trainer)\.steps\b', re.MULTILINE)


def binding(config: str) -> str:
    r"""Returns the statement for the seed after that of a config.

    >>> binding('trainer.Trainer.seed = %SEED\ntrainer.Trainer.steps = 5\nSEED = 3')
    'trainer.Trainer.seed = 4'

    Args:
      config: the text of a run's config.gin.

    Raises:
      UserError: the config binds no trainer, or its seed is not a number.
    """
    trainer, seed = _TRAINER.search(config), settings.parse(config).seed
    if not trainer or not re.fullmatch(r'\d+', seed):
        raise UserError('config.gin binds no steps of a trainer, or its seed is not a whole number.')
    return f'{trainer["trainer"]}.seed = {int(seed) + 1}'

"""What the programs that run an experiment share: the log, the compilation cache, the trainer of a config."""

from engine.config.config import Config
from engine.config.messages import explained
from engine.datasets.catalogue.names import DatasetName
from engine.prediction import predictions
from engine.runs import faults, text_log
from engine.runs.guard import RunGuard
from engine.runs.run_folder import Run, RunData
from engine.training import steps
from engine.training.trainer import Trainer


def set_up() -> None:
    """Sends the log to the terminal, silences libraries, and keeps compiled programs for the next start."""
    text_log.silence_libraries()
    text_log.to_terminal()
    steps.use_compilation_cache()


def build(config: Config) -> Trainer:
    """Builds the trainer that a config describes and checks it on shapes, before anything is compiled.

    Raises:
      UserError: the config or the experiment has a mistake.
    """
    trainer = config.build(Trainer)
    with explained():
        trainer.check()
    return trainer


def trainer_of(run: Run) -> Trainer:
    """Returns the checked trainer that a run's own config describes."""
    return build(Config([run.config]))


def run_data(trainer: Trainer) -> RunData:
    """Returns the dataset of a trainer as a run folder refers to it."""
    name = DatasetName.parse(trainer.dataset)
    return RunData(
        name=trainer.data.name,
        check_name=name.without_config,
        slug=name.slug,
        card=name.repository_folder / 'README.md' if name.repository_folder else None,
        fingerprint=trainer.data.fingerprint,
    )


def train_and_predict(trainer: Trainer, guard: RunGuard) -> None:
    """Trains to the end, saves predictions, and records that the run has finished."""
    trainer.run(guard)
    which = 'best' if trainer.best else 'latest'
    predictions.save(trainer, guard.run.folder, trainer.predict, which, overwrite=True)
    faults.point('finish')
    guard.finish(trainer.steps)

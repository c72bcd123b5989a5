"""What the programs that run an experiment share: the log, the compilation cache, the trainer of a config."""

from typing import TypeVar

from engine.config.config import Config
from engine.datasets.catalogue.names import DatasetName
from engine.processes import devices
from engine.runs import text_log
from engine.runs.run_folder import Run, RunData
from engine.training import steps
from engine.training.experiment import Experiment

Root = TypeVar('Root', bound=Experiment)


def set_up() -> None:
    """Sends the log to the terminal, silences libraries, and keeps compiled programs for the next start."""
    text_log.silence_libraries()
    text_log.to_terminal()
    steps.use_compilation_cache()


def build(config: Config, root: type[Root]) -> Root:
    """Builds what a config describes and checks it on shapes, before anything is compiled.

    Args:
      config: the config.
      root: the class at its root, `Trainer` in all programs.

    Raises:
      UserError: the config or the experiment has a mistake.
    """
    experiment = config.build(root)
    devices.start()  # only now: experiments may set flags that XLA reads when it starts
    with config.explained():
        experiment.check()
    return experiment


def of_run(run: Run, root: type[Root]) -> Root:
    """Builds and checks what the config of a run describes."""
    return build(Config([run.config]), root)


def run_data(experiment: Experiment) -> RunData:
    """Returns the dataset of an experiment as a run folder refers to it."""
    name = DatasetName.parse(experiment.dataset)
    folder = name.repository_folder
    return RunData(
        name=experiment.data.name,
        check_name=name.without_config,
        slug=name.slug,
        card=folder / 'README.md' if folder else None,
        fingerprint=experiment.data.fingerprint,
    )

"""What the programs that run an experiment share: the log, the compilation cache, the trainer of a config."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from engine import files, sharding
from engine.config.config import Config
from engine.datasets.catalogue.names import DatasetName
from engine.datasets.expressions import expression
from engine.errors import UserError
from engine.processes import devices, jax_flags
from engine.run_reader import settings
from engine.runs import start, text_log
from engine.runs.environment import differences, history, record
from engine.runs.environment.differences import Differences
from engine.runs.run_folder import Run, RunData
from engine.training import dataset_record, steps
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


def build_without_data(config: Config, root: type[Root], folder: Path) -> Root:
    """Builds what a config describes, its task bound to the record of a dataset.

    Args:
      config: the config.
      root: the class at its root.
      folder: of the run or the release that holds the record.

    Raises:
      UserError: the config has a mistake, or there is no record.
    """
    experiment = config.build(root)
    devices.start()
    with config.explained():
        experiment.data = dataset_record.read(folder)
        sharding.check_batch_size(experiment.parallelism.mesh, experiment.batch_size)
        _ = experiment.bound
    return experiment


def of_run(run: Run, root: type[Root], accept_changes: bool) -> tuple[Root, dict[str, Any], Differences]:
    """Builds and checks what the config of a run describes.

    Args:
      run: the run, which the user trusts: `trusted.check` comes first.
      root: the class at the root of its config.
      accept_changes: whether the user accepts another environment.

    Returns:
      The experiment, the present environment, and how that differs from the record of the run.
    """
    with start.explained(run, changes_before_building, accept_changes):
        config = Config([run.config])
        experiment = build(config, root)
    present = environment(config, experiment)
    return experiment, present, compare(run, present, config, experiment)


def of_run_without_data(
    run: Run, root: type[Root], accept_changes: bool
) -> tuple[Root, dict[str, Any], Differences]:
    """Builds what the config of a run describes, without the data that it was trained on.

    The task is bound to what the run recorded of its dataset. In a run without such a record, the dataset
    is loaded.

    Args:
      run: the run, which the user trusts: `trusted.check` comes first.
      root: the class at the root of its config.
      accept_changes: whether the user accepts another environment.

    Returns:
      As `of_run`; data are not compared.
    """
    with start.explained(run, changes_before_building, accept_changes):
        config = Config([run.config])
        experiment = config.build(root)
        devices.start()
        with config.explained():
            try:
                experiment.data = dataset_record.read(run.folder)
            except UserError as error:
                text_log.logger.warning('%s The dataset itself is read instead.', error)
            sharding.check_batch_size(experiment.parallelism.mesh, experiment.batch_size)
            _ = experiment.bound
    recorded = history.latest(run.environment())
    present = record.present(history.modules(recorded), jax_flags.numeric(), **devices.record())
    changes = settings.changes(run.config.read_text(encoding='utf-8'), config.text())
    return experiment, present, differences.between(recorded, present, changes, {})


def of_release(folder: Path, root: type[Root], with_data: bool) -> Root:
    """Builds and checks what the config of a released model describes.

    Args:
      folder: of the release.
      root: the class at the root of its config.
      with_data: whether the dataset is loaded that the model was trained on. Without it, the task is bound to
        the record of that dataset.
    """
    config = Config([folder / 'config.gin'])
    return build(config, root) if with_data else build_without_data(config, root, folder)


def dataset_name(run: Run) -> str:
    """Returns the name of the dataset of a run, '' if the run has no record of it."""
    return files.read_json(run.folder / dataset_record.FILE).get('name', '')


def run_data(experiment: Experiment) -> RunData:
    """Returns the dataset of an experiment as a run folder refers to it."""
    names = [DatasetName.parse(name) for name in expression.names(experiment.dataset)]
    folders = [name.repository_folder for name in names]
    return RunData(
        name=experiment.data.name,
        check_name=' '.join(name.without_config for name in names),
        slug=expression.slug(experiment.dataset),
        cards=tuple(folder / 'README.md' for folder in folders if folder),
        fingerprint=experiment.data.fingerprint,
        evaluated={name: data.fingerprint for name, data in experiment.validation.others().items()},
        order_files=experiment.order_files,
        members=experiment.data.members,
    )


def environment(config: Config, experiment: Experiment) -> dict[str, Any]:
    """Returns the present environment, as a run records it.

    Args:
      config: from which the experiment was built.
      experiment: the experiment.
    """
    kind = experiment.description.kind
    datasets = (experiment.data, *experiment.validation.others().values())
    names = [DatasetName.parse(source.name) for data in datasets for source in data.sources]
    builders = {
        f'data.{name.dataset}.{name.dataset}_dataset_builder' for name in names if name.repository_folder
    }
    # Modules that are imported by a name known only now.
    dynamic = [*builders, f'engine.kinds.{kind}', f'research.kinds.{kind}']
    modules = [*settings.modules(config.text()), *dynamic]
    return record.present(modules, jax_flags.numeric(), **devices.record(), **experiment.origin)


def compare(run: Run, present: dict[str, Any], config: Config, experiment: Experiment) -> Differences:
    """Compares the record of a run with what would resume it, or predict with it, now.

    Args:
      run: the run.
      present: the present environment.
      config: the present config.
      experiment: what it describes.
    """
    recorded = history.latest(run.environment())
    modules = history.modules(recorded)
    if modules and modules != present['code']['modules']:  # another config, which is a difference by itself
        present = present | record.present(modules, jax_flags.numeric())
    changes = settings.changes(run.config.read_text(encoding='utf-8'), config.text())
    return differences.between(recorded, present, changes, run.data_changes(run_data(experiment)))


def changes_before_building(run: Run) -> Differences:
    """Compares what needs neither config nor devices: code, packages and flags."""
    recorded = history.latest(run.environment())
    present = record.present(history.modules(recorded), jax_flags.numeric())
    for values in (recorded, present):
        if isinstance(values.get('flags'), dict):  # an experiment may set this one, and is not built yet
            values['flags'] = {name: value for name, value in values['flags'].items() if name != 'XLA_FLAGS'}
    return replace(differences.between(recorded, present, {}, {}), machine={})

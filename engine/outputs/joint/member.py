"""A member of an ensemble, as the manifest of the ensemble states it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Member:
    """The origin of one member of an ensemble.

    Attributes:
      project: the project whose run wrote the member, or ''.
      run: name of the run, or ''.
      step: training step of its checkpoint, or None.
      checkpoint: kind of the checkpoint, 'best' or 'latest', or ''.
      dataset: name of the dataset that was predicted, or ''.
      dataset_fingerprint: sha256 of its ids and arrays, or ''.
      details: what else its manifest states, as name and text.
      commits: each version of the code that took part in it.
      code: the digest of each of them.
      manifest_sha256: digest of its manifest.json, which states the digests of all of its files.
    """

    project: str = ''
    run: str = ''
    step: int | None = None
    checkpoint: str = ''
    dataset: str = ''
    dataset_fingerprint: str = ''
    details: Mapping[str, str] = field(default_factory=dict)
    commits: Sequence[str] = ()
    code: Sequence[str] = ()
    manifest_sha256: str = ''

    @property
    def texts(self) -> list[str]:
        """All texts that a reader may see."""
        names = [self.project, self.run, self.checkpoint, self.dataset]
        digests = [self.dataset_fingerprint, self.manifest_sha256]
        return [*names, *digests, *self.details, *self.details.values(), *self.commits, *self.code]

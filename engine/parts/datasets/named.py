"""Several batches at once, each of a dataset of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from engine.datasets.expressions import derived, expression
from engine.datasets.expressions.expression import Expression, Load
from engine.datasets.reading.dataset import Dataset
from engine.errors import UserError, did_you_mean

MAIN = 'main'


@dataclass(frozen=True, init=False)
class Named:
    """Several batches at once: the main one, and a dict for each further part, as `batch['unlabelled']`.

        trainer.Trainer.dataset = @datasets.Named()
        datasets.Named.main = @datasets.First()
        datasets.Named.unlabelled = 'digits'
        datasets.Named.multiples = {'unlabelled': 7}

    The fields of the main part lie at the top of the batch, as always. Evaluation and prediction see this
    part alone. Parts may have different fields and classes.

    Args:
      main: name of a Dataset+, or an expression: what is evaluated and predicted.
      multiples: rows of a part for each row of `Trainer.batch_size`, by the name of the part; 1 by default.
      **others: the datasets of the further parts, by the names that you choose.
    """

    main: str | Expression
    multiples: Mapping[str, int]
    others: Mapping[str, str | Expression] = field(default_factory=dict)

    def __init__(
        self, main: str | Expression, multiples: Mapping[str, int] | None = None, **others: str | Expression
    ):
        """Raises `UserError` if there is no further part, or a multiple does not belong to one."""
        for name, value in {'main': main, 'multiples': dict(multiples or {}), 'others': others}.items():
            object.__setattr__(self, name, value)
        if not others:
            raise UserError(
                f'Named has no part beside {MAIN!r}: bind one by a name of your choice, such as '
                "`datasets.Named.unlabelled = 'digits'`."
            )
        for name, multiple in self.multiples.items():
            if name not in others:
                raise UserError(f'Named.multiples: there is no part {name!r}. {did_you_mean(name, others)}')
            if type(multiple) is not int or multiple < 1:
                raise UserError(
                    f'Named.multiples: {multiple!r} for {name!r}: it must be a whole number from 1 on.'
                )

    @property
    def text(self) -> str:
        """The expression in one line."""
        options = {'multiples': self.multiples} if self.multiples else {}
        return expression.call('Named', self.main, **self.others, **options)

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        parts = [
            part
            for name, dataset in self.others.items()
            for part in (name, self.multiples.get(name, ''), dataset)
        ]
        return expression.joined_slug('named', self.main, *parts)

    def names(self) -> tuple[str, ...]:
        """Returns the names of all datasets below."""
        return expression.names(self.main, *self.others.values())

    def toy(self) -> 'Named':
        """Returns the toy forms of all parts."""
        others = {name: expression.toy(each) for name, each in self.others.items()}
        return Named(expression.toy(self.main), self.multiples, **others)

    def load(self, load: Load) -> Dataset:
        """Returns the main dataset with the further parts."""
        main = derived.member(self, self.main, load)
        parts = {name: derived.member(self, each, load) for name, each in self.others.items()}
        multiples = {name: self.multiples.get(name, 1) for name in sorted(parts)}
        specs = {name: replace(part.spec, multiple=multiples[name]) for name, part in parts.items()}
        members, values = (main, *(parts[name] for name in multiples)), {'multiples': multiples}
        data = derived.derived(self, values, members, main.splits, main.split)
        return replace(data, version=main.version, spec=replace(main.spec, parts=specs), parts=parts)

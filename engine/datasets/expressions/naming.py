"""What an expression is called. `expression.Expression` adds how it is loaded."""

from typing import Protocol


class ExpressionNames(Protocol):
    """The names of a dataset that is made of others."""

    @property
    def text(self) -> str:
        """The expression in one line, which logs, pages and outputs call the dataset."""
        ...

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        ...

    def names(self) -> tuple[str, ...]:
        """Returns the names of all datasets that the expression is made of, each once."""
        ...

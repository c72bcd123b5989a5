"""Classes that derive from one another, as configs bind them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.parts.classification import Classification
from research.models.convnet import ConvNet


def unwritable(value: Any) -> Any:
    """A default value that no config can state."""
    return value


class Base:
    """A plain class."""

    def __init__(self, size: int | None = 1, name: str = 'base', pick: Any = None):
        self.size, self.name, self.pick = size, name, pick


class Child(Base):
    pass


class Other(Base):
    pass


class Grandchild(Child, Other):
    """Passes on all that it is given."""

    def __init__(self, *, size: int = 3, **options: Any):
        super().__init__(size=size, **options)


class Narrow(Base):
    """Takes no name, and has a default value that no config can state."""

    def __init__(self, size: int = 4, pick: Callable[..., Any] = unwritable):
        super().__init__(size, 'narrow', pick)


class Fixed(Base):
    """Gives a parameter itself, and passes on the others."""

    def __init__(self, **options: Any):
        super().__init__(size=5, **options)


@dataclass(frozen=True)
class Record:
    size: int = 0
    inner: Any = None


@dataclass(frozen=True)
class LongerRecord(Record):
    more: int = field(default=0, init=False)


@dataclass(frozen=True)
class Net:
    """A class that may hold another one of its kind."""

    inner: Any = None
    size: int = 0


@dataclass(frozen=True)
class SmallNet(Net):
    pass


@dataclass(frozen=True)
class LargeNet(Net):
    pass


class Root:
    def __init__(self, items: Any = ()):
        self.items = items


class Caller:
    """Calls a factory with a size of its own."""

    def __init__(self, factory: Callable[..., Base]):
        self.size = factory(size=9).size


def make(size: int = 7) -> Base:
    """A function, which inherits nothing."""
    return Base(size)


@dataclass(frozen=True, kw_only=True)
class Weighted(Classification):
    """A task that derives from one of the template's."""

    weight: float = 1.0


class WideNet(ConvNet):
    """A model that derives from an example."""

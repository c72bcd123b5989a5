import math

import pytest

from engine.errors import UserError
from engine.sweeps import axes


@pytest.mark.parametrize(
    ('text', 'values'),
    [
        ('RATE=0.1,0.2', ('0.1', '0.2')),
        ('SEED=0..4', ('0', '1', '2', '3', '4')),
        ('A=-1..1', ('-1', '0', '1')),
        ('A=1e-4..1e-1:log:4', ('0.0001', '0.001', '0.01', '0.1')),
        ('A=0..1:3', ('0.0', '0.5', '1.0')),
        ('m.MLP.width=64, 128', ('64', '128')),
        ('O=@optax.adam,@optax.sgd', ('@optax.adam', '@optax.sgd')),
        ("A=(1, 2),'a,b',[3, (4, 5)]", ('(1, 2)', "'a,b'", '[3, (4, 5)]')),
        ('A=3', ('3',)),
    ],
)
def test_values(text: str, values: tuple[str, ...]) -> None:
    assert axes.parse(text).values == values


@pytest.mark.parametrize(
    'text',
    [
        'A',
        'A=',
        '=1',
        'A=1,,2',
        'A=1,1',
        'A=4..0',
        'A=2.0..1.0',
        'A=0..1:log',
        'A=1..2:1',
        'A b=1',
        'A=0..1e999',
    ],
)
def test_mistakes_are_refused(text: str) -> None:
    with pytest.raises(UserError, match='--vary'):
        axes.parse(text)


def test_a_grid_is_the_product_and_the_last_axis_varies_fastest() -> None:
    assert axes.grid(axes.parse_all(['A=1,2', 'B=0..1'])) == [
        ['A = 1', 'B = 0'],
        ['A = 1', 'B = 1'],
        ['A = 2', 'B = 0'],
        ['A = 2', 'B = 1'],
    ]


def test_a_range_without_points_is_no_grid() -> None:
    with pytest.raises(UserError, match=r'--vary A=0\.1\.\.1:log:5'):
        axes.grid([axes.parse('A=0.1..1:log')])


def test_a_name_is_varied_once() -> None:
    with pytest.raises(UserError, match='A is varied twice'):
        axes.parse_all(['A=1', 'A=2'])


def test_random_values_lie_in_their_range_and_depend_on_the_seed_alone() -> None:
    varied = axes.parse_all(['RATE=1e-4..1e-1:log', 'SEED=0..4', 'B=0.5..2.5'])
    points = axes.draws(varied, 200, seed=3)
    assert points == axes.draws(varied, 200, seed=3) != axes.draws(varied, 200, seed=4)
    assert points[:50] == axes.draws(varied, 50, seed=3)
    rates, seeds, thirds = ([float(point[axis].partition('=')[2]) for point in points] for axis in range(3))
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert abs(sum(map(math.log10, rates)) / 200 + 2.5) < 0.3  # the mean of a uniform exponent
    assert {*seeds} == {0, 1, 2, 3, 4}
    assert all(0.5 <= third <= 2.5 for third in thirds)

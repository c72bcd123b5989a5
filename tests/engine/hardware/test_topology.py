"""Names of TPUs that are not there."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from engine.errors import UserError
from engine.hardware import topology
from engine.workspace import REPOSITORY

FORMS = 'v2:2x4, v3:2x4, v4:2x2x2, v5e:2x4, v5p:2x2x2, v6e:2x4, tpu7x:2x2x2'
LIBRARY = REPOSITORY / '.venv-tpu/libtpu/libtpu.so'


@pytest.mark.parametrize(
    ('name', 'why'),
    [
        ('', 'kind and shape are needed'),
        ('v5e', 'kind and shape are needed'),
        ('v5e-8', 'kind and shape are needed'),
        ('v5e:8', 'kind and shape are needed'),
        ('v5e:2x', 'kind and shape are needed'),
        ('v5e:2xx4', 'kind and shape are needed'),
        ('v5e:2x4 ', 'kind and shape are needed'),
        ('v5e:-2x4', 'kind and shape are needed'),
        ('v5e:2x4,v5e:2x4', 'kind and shape are needed'),
        ('v5:2x4', "'v5e'"),
        ('V5E:2x4', "'v5e'"),
        ('h100:2x4', 'There are: '),
        ('v5e:2x2x2', 'v5e has 2 numbers'),
        ('v4:2x2x2x2', 'v4 has 2 or 3 numbers'),
        ('v5e:0x4', 'v5e has 1 to 256 chips'),  # at which libtpu ends the process
        ('v5e:16x32', 'v5e has 1 to 256 chips'),
        ('v4:99999x99999x99999', 'v4 has 1 to 4,096 chips'),
    ],
)
def test_a_wrong_name_is_one_message_with_the_forms(name: str, why: str) -> None:
    with pytest.raises(UserError) as refused:
        topology.find(name)
    message = str(refused.value)
    assert message.startswith(f'--topology={name}: there is no such topology (')
    assert why in message
    assert FORMS in message


def test_every_kind_has_an_example_of_eight_chips() -> None:
    for kind, tpu in topology.KINDS.items():
        _, shape = topology._parsed(f'{kind}:{tpu.example}')
        assert len(shape) in tpu.axes
        product = 1
        for size in shape:
            product *= size
        assert product == 8


PROBE = """
import os, sys
from engine.commands.compile import WITHOUT_TPU
os.environ |= WITHOUT_TPU
import jax, numpy as np
from engine.errors import UserError
from engine.hardware import topology
for kind, tpu in topology.KINDS.items():
    found = topology.find(f'{kind}:{tpu.example}')
    mesh = jax.sharding.Mesh(np.array(found.devices), ('data',))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    large = jax.ShapeDtypeStruct((2**20, 2**18), np.float32, sharding=whole)
    try:
        jax.jit(lambda x: x + 1, out_shardings=whole).lower(large).compile()
    except Exception as error:
        print(kind, f'({tpu.usable}G)' in str(error), found.chips, len(found.devices))
try:
    topology.find('v5e:3x3')
except UserError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not LIBRARY.exists() and not find_spec('libtpu'),
    reason='libtpu is not here: scripts/compile.sh --topology fetches it',
)
def test_the_table_says_what_libtpu_says() -> None:
    done = subprocess.run(
        ['env', f'TPU_LIBRARY_PATH={LIBRARY}', sys.executable, '-c', PROBE],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    *lines, refusal = done.stdout.splitlines()
    assert [line.rpartition(' ')[0] for line in lines] == [f'{kind} True 8' for kind in topology.KINDS]
    assert refusal.startswith('--topology=v5e:3x3: there is no such topology (libtpu says: ')

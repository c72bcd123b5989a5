"""What is measured of each model: its config, its sizes, and the arithmetic of one example.

This module needs the standard library alone: the program that starts the measurements and the one that
measures PyTorch read it, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

FOLDER = Path(__file__).parent
INTERVALS = 5  # of a training; the first one is left out
GROUP = 10  # steps of one call, of the variant `groups`


@dataclass(frozen=True)
class ModelSetting:
    """A model and its sizes.

    Attributes:
      name: of its config, `<name>.gin` in this folder, and of its section.
      title: its name in the table.
      unit: of its rate: images or tokens.
      batch_size: examples per step.
      other_sizes: further batch sizes to try.
      interval: steps between two readings of the clock, about two seconds; a multiple of `GROUP`.
      forward_flops: of one example, by formula; a multiplication and an addition are two.
      source: of `forward_flops`.
      shape: of one example: (height, width) of an image, (length,) of a text.
      outputs: number of classes, or of tokens of the vocabulary.
      small: what makes the model fit for a CPU, by parameter of the config.
      attention: the module that has `attention` as a parameter; '' for a model without attention.
    """

    name: str
    title: str
    unit: str
    batch_size: int
    other_sizes: tuple[int, ...]
    interval: int
    forward_flops: float
    source: str
    shape: tuple[int, ...] = (224, 224)
    outputs: int = 1000
    small: Mapping[str, str] = field(default_factory=dict)
    attention: str = ''

    @property
    def config(self) -> Path:
        """The Gin file."""
        return FOLDER / f'{self.name}.gin'

    @property
    def is_text(self) -> bool:
        """Whether an example is a text."""
        return self.unit == 'tokens'

    @property
    def step_flops(self) -> float:
        """The operations of one example in a training step: forward, and twice as many backward."""
        return 3 * self.forward_flops


@dataclass(frozen=True)
class Sizes:
    """The sizes of one measurement.

    Attributes:
      batch_size: examples per step.
      other_sizes: further batch sizes to try.
      shape: of one example: (height, width) of an image, (length,) of a text.
      outputs: number of classes, or of tokens of the vocabulary.
      interval: steps between two readings of the clock.
      group: steps of one call, of the variant `groups`.
      bindings: what gives the config these sizes, by macro or parameter.
    """

    batch_size: int
    other_sizes: tuple[int, ...]
    shape: tuple[int, ...]
    outputs: int
    interval: int
    group: int
    bindings: Mapping[str, str]


def sizes(setting: ModelSetting, is_small: bool) -> Sizes:
    """Returns the sizes of a model's measurement.

    Args:
      setting: of the model.
      is_small: whether a CPU takes them: they try the code and measure nothing.
    """
    if not is_small:
        return _sized(setting, setting.batch_size, setting.shape, setting.outputs, setting.interval, GROUP)
    shape, outputs = ((16,), 512) if setting.is_text else ((32, 32), 10)
    small = _sized(setting, 4, shape, outputs, interval=4, group=2)
    bindings = {**small.bindings, 'TRAINING': '16', **setting.small}
    return replace(small, other_sizes=(2,), bindings=bindings)


def _sized(
    setting: ModelSetting, batch_size: int, shape: tuple[int, ...], outputs: int, interval: int, group: int
) -> Sizes:
    example = ('LENGTH', 'VOCABULARY') if setting.is_text else ('SIDE', 'CLASSES')
    macros = {'BATCH_SIZE': batch_size, 'STEPS': INTERVALS * interval, 'INTERVAL': interval}
    macros |= dict(zip(example, (shape[0], outputs), strict=True))
    bindings = {name: str(value) for name, value in macros.items()}
    return Sizes(batch_size, setting.other_sizes, shape, outputs, interval, group, bindings)


def rates(
    setting: ModelSetting, sizes: Sizes, seconds: Sequence[float], batch_size: int = 0
) -> dict[str, Any]:
    """Returns the figures of a loop: its rate, the milliseconds of a step, and the batch size.

    Args:
      setting: of the model.
      sizes: of the measurement.
      seconds: of a step, in each interval. The rate is that of their median.
      batch_size: where it is another than that of `sizes`.
    """
    batch_size = batch_size or sizes.batch_size
    units = sizes.shape[0] if setting.is_text else 1
    return {
        f'{setting.unit}_per_second': round(batch_size * units / median(seconds), 1),
        'step_ms': [round(1000 * each, 3) for each in seconds],
        'batch_size': batch_size,
    }


def gpt2_flops(layers: int, width: int, length: int, vocabulary: int) -> float:
    """Returns the operations of the forward pass of GPT-2 for one text of `length` tokens.

    Each weight of a matrix is a multiplication and an addition for each token. Attention adds the products of
    queries with keys and of weights with values. As PaLM, appendix B, and nanoGPT count, the mask saves none.

    >>> round(gpt2_flops(12, 768, 1024, 50304) / 1024 / 1e6)
    285
    """
    matrices = layers * 12 * width**2 + width * vocabulary
    return length * (2 * matrices + 4 * layers * length * width)


MODELS = {
    setting.name: setting
    for setting in (
        ModelSetting(
            'vit_b',
            'ViT-B/16',
            'images',
            128,
            (256,),
            30,
            2 * 17.58e9,
            'https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.vit_b_16.html',
            small={'vit.ViT.size': "'mu'", 'vit.ViT.attention': '@attention.xla'},
            attention='vit.ViT',
        ),
        ModelSetting(
            'gpt2',
            'GPT-2 124M',
            'tokens',
            16,
            (32, 64),
            50,
            gpt2_flops(12, 768, 1024, 50304),
            'PaLM, appendix B, https://arxiv.org/abs/2204.02311',
            shape=(1024,),
            outputs=50304,
            small={
                'gpt2.GPT2.depth': '2',
                'gpt2.GPT2.width': '64',
                'gpt2.GPT2.heads': '4',
                'gpt2.GPT2.attention': '@attention.xla',
            },
            attention='gpt2.GPT2',
        ),
        ModelSetting(
            'resnet50',
            'ResNet-50',
            'images',
            256,
            (512,),
            20,
            2 * 4.09e9,
            'https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet50.html',
            small={'resnet.ResNet.depth': '18', 'resnet.ResNet.width': '8'},
        ),
        ModelSetting(
            'vit_s',
            'ViT-S/16',
            'images',
            256,
            (512,),
            60,
            2 * 4.61e9,
            'https://arxiv.org/abs/2012.12877, table 1',
            small={'vit.ViT.size': "'mu'", 'vit.ViT.attention': '@attention.xla'},
            attention='vit.ViT',
        ),
    )
}

"""The models of the template in PyTorch: the same layers, widths, normalisation and dropout."""

# pyright: reportMissingImports=false
import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10


def mlp(width: int = 256, depth: int = 2, dropout: float = 0.2) -> nn.Module:
    """Returns `research.models.mlp.MLP` for images f32 [B, 1, 8, 8], with the sizes of digits_mlp.gin."""
    sizes = [64, *[width] * depth]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def conv_stage(channels: int, width: int) -> list[nn.Module]:
    """Returns two 3x3 convolutions, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for inputs in (channels, width):
        convolution = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
    return layers


def convnet(width: int = 32, stages: int = 2, dropout: float = 0.2) -> nn.Module:
    """Returns `research.models.convnet.ConvNet` for images f32 [B, 1, 8, 8], as in digits_cnn.gin."""
    widths = [1, *(width * 2**stage for stage in range(stages))]
    layers: list[nn.Module] = []
    for stage, (inputs, outputs) in enumerate(pairwise(widths)):
        layers += [*([nn.MaxPool2d(2)] if stage else []), *conv_stage(inputs, outputs)]
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(widths[-1], CLASSES)
    return nn.Sequential(*layers, *head)


class Block(nn.Module):
    """Causal self-attention, then an MLP on each token, each with a residual connection. Without biases."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = (nn.LayerNorm(width, bias=False) for _ in range(2))
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attention_output = nn.Linear(width, width, bias=False)
        self.wide = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns features f32 [B, L, width] for x f32 [B, L, width]."""
        batch, length, width = x.shape
        split = self.query_key_value(self.attention_norm(x)).view(batch, length, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.attention_output(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.narrow(functional.gelu(self.wide(self.norm(x))))


class Transformer(nn.Module):
    """A small GPT-2 without biases and dropout, in which input and output tokens share one matrix.

    After Radford et al. 2019, "Language Models are Unsupervised Multitask Learners". The default sizes are
    those of nanoGPT's setting for laptops, https://github.com/karpathy/nanoGPT.
    """

    def __init__(self, vocabulary: int, length: int = 64, width: int = 128, depth: int = 4, heads: int = 4):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                is_residual = 'narrow' in name or 'attention_output' in name
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * depth if is_residual else 1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns logits f32 [B, L, vocabulary] of the next tokens, for tokens int64 [B, L]."""
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.tokens.weight)

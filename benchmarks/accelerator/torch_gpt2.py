"""GPT-2 in plain PyTorch: Radford et al. 2019, as nanoGPT writes it, https://github.com/karpathy/nanoGPT."""

# pyright: reportMissingImports=false
import torch
from torch import nn
from torch.nn import functional


class GPT2(nn.Module):
    """A transformer whose tokens attend to those before them; the output shares the embedding's weights.

    Args:
      vocabulary: number of tokens.
      length: largest number of tokens of a text.
      layers: number of blocks.
      width: features of a token.
      heads: attention heads of each block.
    """

    def __init__(self, vocabulary: int, length: int, layers: int, width: int, heads: int):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, vocabulary, bias=False)
        self.output.weight = self.tokens.weight
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Returns logits [B, L, vocabulary] for tokens int64 [B, L]."""
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x))


class Block(nn.Module):
    """Attention and an MLP, each after a normalisation and with a residual connection."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns features [B, L, width] for x [B, L, width]."""
        x = x + self.projection(self._attend(self.attention_norm(x)))
        return x + self.narrow(functional.gelu(self.wide(self.norm(x)), approximate='tanh'))

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        split = self.query_key_value(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return attended.transpose(1, 2).reshape(batch, length, width)

"""Ways to normalise a network: each function makes a layer together with its normalisation.

The layer comes as a factory that still takes `rngs` and, if it has a bias, `use_bias`. An edge is a layer at
the input image, the output image or the logit. Normalisations of activations skip the edges, after Radford et
al. 2016, https://arxiv.org/abs/1511.06434, section 3; spectral normalisation does not.
"""

from collections.abc import Callable

from flax import nnx

Layer = Callable[..., nnx.Module]
Normalization = Callable[..., nnx.Module]  # (layer, features, *, rngs, edge=False) -> module


def none(layer: Layer, features: int, *, rngs: nnx.Rngs, edge: bool = False) -> nnx.Module:
    """Returns the layer alone."""
    del features, edge
    return layer(rngs=rngs)


def batch(layer: Layer, features: int, *, rngs: nnx.Rngs, edge: bool = False) -> nnx.Module:
    """Normalises each feature over the batch; Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167."""
    if edge:
        return layer(rngs=rngs)
    # No bias in the layer: the normalisation subtracts the mean and adds a bias of its own.
    return nnx.Sequential(layer(use_bias=False, rngs=rngs), nnx.BatchNorm(features, momentum=0.9, rngs=rngs))


def layer(layer: Layer, features: int, *, rngs: nnx.Rngs, edge: bool = False) -> nnx.Module:
    """Normalises over the features of each pixel; Ba et al. 2016, https://arxiv.org/abs/1607.06450.

    Examples do not affect each other, as a gradient penalty requires.
    """
    module = layer(rngs=rngs)
    return module if edge else nnx.Sequential(module, nnx.LayerNorm(features, rngs=rngs))


def spectral(layer: Layer, features: int, *, rngs: nnx.Rngs, edge: bool = False) -> nnx.Module:
    """Divides the weights by their largest singular value; Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

    Each call in training takes one step of power iteration to estimate that value.
    """
    del features, edge
    return nnx.SpectralNorm(layer(rngs=rngs), rngs=rngs)

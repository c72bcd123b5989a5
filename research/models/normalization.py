"""Ways to normalise a network, each a function that makes a layer together with its normalisation.

They are given the layer as a factory that lacks only `rngs`, perhaps `use_bias`, and the number of its
features. An `edge` is a layer at the network's input image, output image or logit; those who normalise
activations leave it alone, after Radford et al. 2016, https://arxiv.org/abs/1511.06434, section 3.
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
    # No bias in the layer: the normalisation that follows would take it away.
    return nnx.Sequential(layer(use_bias=False, rngs=rngs), nnx.BatchNorm(features, momentum=0.9, rngs=rngs))


def layer(layer: Layer, features: int, *, rngs: nnx.Rngs, edge: bool = False) -> nnx.Module:
    """Normalises over the features of each place of each example; Ba et al. 2016, https://arxiv.org/abs/1607.06450.

    Examples do not see each other: the one to use with a gradient penalty.
    """
    module = layer(rngs=rngs)
    return module if edge else nnx.Sequential(module, nnx.LayerNorm(features, rngs=rngs))


def spectral(layer: Layer, features: int, *, rngs: nnx.Rngs, edge: bool = False) -> nnx.Module:
    """Divides the layer's weights by their largest singular value; Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

    It is found by one step of power iteration for each call, and edges are normalised too.
    """
    del features, edge
    return nnx.SpectralNorm(layer(rngs=rngs), rngs=rngs)

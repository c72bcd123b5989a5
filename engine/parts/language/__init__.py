"""Models of texts: `language.Language`, and texts sampled from them: `language.Sampling`."""

from engine.parts.language.language import Language
from engine.parts.language.sampling import Sampling

__all__ = ['Language', 'Sampling']

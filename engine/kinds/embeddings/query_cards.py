"""Queries beside their nearest neighbours, as cards."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from engine.evaluation.drawing.example_cards import Card, images
from engine.kinds.embeddings import reading
from engine.kinds.embeddings.neighbours import Neighbours, search
from engine.kinds.embeddings.retrieval import Embedded
from engine.outputs.outputs import Outputs
from engine.render.palette import GREEN, ORANGE
from engine.render.pictures import OutlinedBox, Picture

SHOWN = 5  # neighbours of a query
INK = '#000000'  # of the frame around a query
INSET = 0.02  # of a frame within its picture


def cards(outputs: Outputs, table: pd.DataFrame, caption: Callable[[Mapping[str, Any]], str]) -> list[Card]:
    """Returns a card for each row of a part of the table `per_example`: the query, then its neighbours.

    Args:
      outputs: with `inputs`.
      table: the rows.
      caption: returns a few words on a row. They stand below the id.
    """
    embedded, places = reading.read(outputs), {name: row for row, name in enumerate(outputs.ids)}
    rows = np.array([places[str(name)] for name in table.index], int)
    found = search(embedded.space, embedded.labels, rows, embedded.gallery, np.full(len(rows), SHOWN))
    examples = table.to_dict('records')
    return [
        Card(
            outputs.ids[query.query],
            _pictures(outputs, embedded, query),
            f'{outputs.ids[query.query]}\n{caption(example)}',
        )
        for query, example in zip(found, examples, strict=True)
    ]


def _pictures(outputs: Outputs, embedded: Embedded, query: Neighbours) -> list[Picture]:
    own = images(outputs, ('inputs',), query.query)
    framed = [replace(picture, boxes=[_frame(picture, INK)]) for picture in own]
    return framed + _framed(outputs, embedded, query.query, query.rows)


def _framed(outputs: Outputs, embedded: Embedded, query: int, rows: np.ndarray) -> list[Picture]:
    """Returns the pictures of neighbours, framed by whether they are of the query's class."""
    pairs = [(row, picture) for row in rows.tolist() for picture in images(outputs, ('inputs',), row)]
    if embedded.labels is None:
        return [picture for _, picture in pairs]
    right = embedded.labels == embedded.labels[query]
    return [
        replace(picture, boxes=[_frame(picture, GREEN if right[row] else ORANGE, not right[row])])
        for row, picture in pairs
    ]


def _frame(picture: Picture, colour: str, dashed: bool = False) -> OutlinedBox:
    (width, height), inset = picture.extent, INSET * max(picture.extent)
    corners = (inset, inset, width - inset, height - inset)
    return OutlinedBox(corners, colour, dashed=bool(dashed))

"""Durations as people write and read them."""


def duration(seconds: float) -> str:
    """Returns seconds as people write them.

    >>> duration(7500)
    '2 h 05 min'
    """
    if round(seconds, 1) < 60:
        return f'{seconds:.1f} s'
    minutes, remainder = divmod(round(seconds), 60)
    return f'{minutes // 60} h {minutes % 60:02} min' if minutes >= 60 else f'{minutes} min {remainder:02} s'

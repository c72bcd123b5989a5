"""Numbers of bytes as text."""


def written(size: int) -> str:
    """Returns a number of bytes as text.

    >>> written(2560), written(3 * 2**30)
    ('2.5 KiB', '3.0 GiB')
    """
    for unit, name in ((2**30, 'GiB'), (2**20, 'MiB'), (2**10, 'KiB')):
        if size >= unit:
            return f'{size / unit:,.1f} {name}'
    return f'{size} bytes'

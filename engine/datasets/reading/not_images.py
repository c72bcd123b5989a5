"""Says what a file is that was taken for an image and is none."""

HEIC_BRANDS = (b'heic', b'heix', b'hevc', b'heim', b'heis', b'hevm', b'hevs', b'mif1', b'msf1')
CONVERT_HEIC = 'HEIC, which Pillow does not read. Convert it, for example by: magick FILE.heic FILE.jpg'
ODD_TIFF = 'a TIFF of a kind that Pillow does not read, such as floats in colour, or its head is damaged'
HDR = 'an image of high dynamic range: nothing says which number is white. Convert it to 8 or 16 bits'

_BEGINNINGS = {
    b'version https://git-lfs': 'is a pointer of Git LFS. Fetch the file by: git lfs pull',
    b'%PDF': 'is a PDF document',
    b'%!PS': 'is a PostScript document',
    b'PK\x03\x04': 'is a ZIP archive',
    b'\x1f\x8b': 'is a gzip archive',
    b'\x00\x05\x16\x07': 'is a resource file of macOS (AppleDouble), without the image. Delete it',
    b'8BPS': 'is a Photoshop document. Convert it to PNG',
    b'II*\0': f'is {ODD_TIFF}',
    b'MM\0*': f'is {ODD_TIFF}',
    b'\xff\xd8\xff': 'is a JPEG whose head is damaged',
    b'\x89PNG': 'is a PNG whose head is damaged',
    b'GIF8': 'is a GIF whose head is damaged',
    b'\x93NUMPY': 'is a NumPy array. Convert it to PNG, or write a builder in data/',
    b'#?RADIANCE': f'is {HDR}',
    b'v/1\x01': f'is {HDR}',
    b'PF\n': f'is {HDR}',
    b'\xff\x0a': 'is JPEG XL. Convert it to PNG',
    b'\0\0\0\x0cJXL': 'is JPEG XL. Convert it to PNG',
    b'FFD8': 'is text, the hexadecimal form of a JPEG',
    b'/9j/': 'is text, the base64 form of a JPEG',
}


def description(data: bytes) -> str:
    """Returns what a file is: "is a ZIP archive", or "is not an image ...: it begins with ...".

    >>> description(b'%PDF-1.7')
    'is a PDF document'
    """
    if data[4:8] == b'ftyp' and data[8:12] in HEIC_BRANDS:
        return f'is {CONVERT_HEIC}'
    if data[4:8] == b'ftyp':
        return 'is a video, or an AVIF whose head is damaged'
    start = data.lstrip()[:64].lower()
    if start.startswith((b'<!doctype html', b'<html', b'<head')):
        return 'is a page in HTML. The download failed: repeat it'
    if start.startswith((b'<svg', b'<?xml')):
        return 'is SVG or XML. Draw it as PNG'
    for beginning, kind in _BEGINNINGS.items():
        if data.startswith(beginning):
            return kind
    return f'is not an image of a known format, or its beginning is damaged: it begins with {data[:12]!r}'

"""A page as one file: it contains its style and scripts, and may fetch nothing."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from engine.render import markup

HERE = Path(__file__).parent


def document(title: str, head: str, sections: Sequence[str], foot: str, *scripts: str) -> str:
    """Returns the page.

    Args:
      title: the title, as text.
      head: what stands above the bar of links, as markup, with the only `<h1>`.
      sections: the sections, as `markup.section` returns them; empty ones are left out.
      foot: how the page was made, as markup.
      scripts: names of the script files beside this one to include. The browser runs no other script.
    """
    style = (HERE / 'style.css').read_text(encoding='utf-8')
    codes = [(HERE / name).read_text(encoding='utf-8') for name in scripts]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src " + (
        ' '.join(f"'sha256-{_digest(code)}'" for code in codes) or "'none'"
    )
    run = ''.join(f'<script>{code}</script>' for code in codes)
    shown = list(filter(None, sections))
    body = '\n'.join(shown)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{markup.escaped(title)}</title><style>{style}</style></head>\n'
        '<body><a class="skip" href="#content">Skip to the content</a>'
        f'<header>{head}</header>\n{markup.contents(shown)}\n'
        f'<main id="content" tabindex="-1">\n{body}\n</main>\n<footer>{foot}</footer>{run}</body></html>\n'
    )


def _digest(code: str) -> str:
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()

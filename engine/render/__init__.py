"""Rendering: HTML pages, tables, charts, contact sheets, the style of figures, escaping."""

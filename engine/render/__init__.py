"""Parts of pages that need nothing but themselves: markup, charts, pictures, the document around them."""

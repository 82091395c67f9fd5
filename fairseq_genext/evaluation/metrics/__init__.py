"""One file a metric: of text, of translations, of pictures; how far a figure can be trusted."""

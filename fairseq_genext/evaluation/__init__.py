"""Measures generated text and reports it; reads plain files and knows nothing of training."""

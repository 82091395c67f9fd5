"""What reports are made of: manifests, figures of several seeds, tables, plots, findings, pages."""

"""Networks, data and training: the only package that imports torch."""

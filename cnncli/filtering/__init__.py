"""Filters and pooling applied to whole pictures: alpha, depth, chains and explanations."""

"""Many pictures at once: inputs, outputs, the loop over them, and its report."""

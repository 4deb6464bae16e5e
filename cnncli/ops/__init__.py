"""Filter operations on arrays: NumPy only, arrays in, arrays out."""

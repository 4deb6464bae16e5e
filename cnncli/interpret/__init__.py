"""Looking into a network: what every layer makes of a picture, and which pixels decided."""

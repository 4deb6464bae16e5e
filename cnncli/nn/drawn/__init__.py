"""Signs that this project draws itself: digits that MNIST does not have, and what is no digit."""

"""A page that runs a network in the browser: its parts, and how they become one file."""

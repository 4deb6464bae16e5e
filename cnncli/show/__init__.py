"""What a person looks at: tables, progress, pictures in the terminal, plots."""

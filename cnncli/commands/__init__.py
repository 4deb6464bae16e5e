"""The subcommands: parse, call the library, show. One file a subcommand."""

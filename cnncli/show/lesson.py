"""How the steps of the demonstration look: a heading, a few words, the command."""

from typing import TYPE_CHECKING

from rich.rule import Rule
from rich.text import Text

from cnncli.show.text import PLAIN

if TYPE_CHECKING:
    from rich.console import Console


def show_step(console: "Console", title: str, words: str, command: str) -> None:
    """Print what a step is about, and the command that it runs."""
    console.print()
    console.print(Rule(Text(f" {title} ", style="bold"), align="left", characters="-"))
    console.print(Text(words))
    console.print()
    console.print(Text(f"$ {command}", style=f"bold {PLAIN}"), soft_wrap=True)


def show_words(console: "Console", words: str) -> None:
    """Print a paragraph."""
    console.print(Text(words))

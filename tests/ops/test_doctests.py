"""The examples of the docstrings are run."""

import doctest
import importlib
import pkgutil

import pytest

import cnncli.ops

MODULES = [f"cnncli.ops.{module.name}" for module in pkgutil.iter_modules(cnncli.ops.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    found = [finder.find(importlib.import_module(name)) for name in MODULES]
    assert sum(len(test.examples) for tests in found for test in tests) >= 15

"""Sows one seed into this process: Python imports this module by itself at its start, in every process that has this folder in PYTHONPATH.

Invariants: only source that the seed names is changed, as it is read; nothing is written, compiled copies are passed over. Without
JOBLEDGER_SEED nothing happens. Errors: KeyError for a seed that is not there."""

from __future__ import annotations

import os
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any


def sow(name: str) -> None:
    """Change what this process reads of our source as the seed says."""
    sys.path.append(str(Path(__file__).parents[2]))
    from tests.seeds import SEEDS

    texts: dict[str, str] = {}
    for change in {seed.name: seed for seed in SEEDS}[name].changes:
        for path in change.places():
            text = texts.get(str(path)) or path.read_text(encoding="utf-8")
            texts[str(path)] = text.replace(change.old, change.new)
    get_code, read_text = SourceFileLoader.get_code, Path.read_text

    def sown_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        text = texts.get(os.path.realpath(self.path))
        return get_code(self, fullname) if text is None else compile(text, self.path, "exec")

    def sown_text(self: Path, *arguments: Any, **named: Any) -> str:
        text = texts.get(os.path.realpath(self))
        return read_text(self, *arguments, **named) if text is None else text

    SourceFileLoader.get_code, Path.read_text = sown_code, sown_text  # type: ignore[method-assign, assignment]


if "JOBLEDGER_SEED" in os.environ:
    sow(os.environ["JOBLEDGER_SEED"])

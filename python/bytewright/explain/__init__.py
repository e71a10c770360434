"""Pages that show a grammar, and what it did to a text.

`grammar_page` draws the rules of a grammar as railroad diagrams. `Recorder` watches a decoding run, and its
`page` shows the text, what each mask allowed, what the model would have preferred, and what the masks took.
A page is one HTML file with everything inside: no scripts, nothing loaded from anywhere, light and dark as
the reader has it.

The command line has both: ``bytewright explain``.
"""

from __future__ import annotations

from .grammar_page import grammar_page
from .recorder import Masked, Recorder, Step, replay
from .run_page import run_page

__all__ = ["Masked", "Recorder", "Step", "grammar_page", "replay", "run_page"]

"""Prints the share of mutmut's mutants that the tests killed, by module.

`make mutants` runs mutmut first. A mutant that makes the tests run endlessly counts as killed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

#: The share of killed mutants below which this program fails.
MINIMUM = 0.95

RESULTS = Path("mutants")

# The exit codes of pytest that mutmut records: no test failed, or no test covers the mutant.
_SURVIVED = {0}
_NOT_TESTED = {5, 33, None}


@dataclass(frozen=True, slots=True)
class Score:
    """The names of the mutants of one module, or of all modules."""

    mutants: list[str]
    survived: list[str]
    not_tested: list[str]

    @property
    def killed(self) -> int:
        """The number of killed mutants."""
        return len(self.mutants) - len(self.survived) - len(self.not_tested)

    @property
    def share(self) -> float:
        """The share of killed mutants."""
        return self.killed / len(self.mutants)

    def row(self, module: str) -> str:
        """Return the line of the table."""
        numbers = (len(self.mutants), self.killed, len(self.survived), len(self.not_tested))
        return f"{module:<22}{''.join(f'{number:>10,}' for number in numbers)}{self.share:>9.1%}"


def read(results: Path) -> dict[str, Score]:
    """Return the score of each module that has mutants, by its path in the package."""
    scores = {}
    root = results / "tap_custobar"
    for file in sorted(root.rglob("*.py.meta")):
        codes: dict[str, int | None] = json.loads(file.read_bytes())["exit_code_by_key"]
        if codes:
            scores[str(file.relative_to(root).with_suffix("").with_suffix(""))] = Score(
                list(codes),
                [name for name, code in codes.items() if code in _SURVIVED],
                [name for name, code in codes.items() if code in _NOT_TESTED],
            )
    return scores


def main() -> int:
    """Print the table, and the names of the mutants that the tests did not kill."""
    scores = read(RESULTS)
    if not scores:
        print("mutmut made no mutants: run `make mutants`", file=sys.stderr)
        return 1
    total = Score(
        *(
            [name for score in scores.values() for name in getattr(score, part)]
            for part in ("mutants", "survived", "not_tested")
        )
    )
    titles = ("mutants", "killed", "survived", "no test")
    print(f"{'module':<22}{''.join(f'{title:>10}' for title in titles)}{'score':>9}")
    for module, score in scores.items():
        print(score.row(module))
    print(total.row("total"))
    not_killed = [*total.survived, *total.not_tested]
    if not_killed:
        print("\nNot killed (`.venv-mutants/bin/mutmut show NAME` shows what was changed):")
        print("\n".join(not_killed))
    return 0 if total.share >= MINIMUM else 1


if __name__ == "__main__":
    sys.exit(main())

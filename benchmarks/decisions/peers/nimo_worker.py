"""NIMO's COMBI behind JSON lines; runs in the peers' environment only.

A question: `columns`, `candidates` (once, kept), `X` and `y` of the living devices, `ranges`, `pairs`, `devices`,
`minimise`, `all_pairs`. The answer: `film`, the rows that COMBI writes into its proposals file; `base`, the candidate
that it chose first, and `pair`, the columns that it grades, both as it prints them; and `cpu_seconds`.

COMBI is asked as its manual says: a candidates file with one row per composition and the measured value in the last
column, `nimo.selection(method="COMBI", ...)`, a proposals file. A measured composition that is in the file gets its
value there; one that is not, or was measured before, becomes a further row.

As shipped, `ai_tool_combi.py` looks at as many pairs of the list as there are columns, and never at the rest: the line
that leaves out pairs with an absent element counts columns where it should count pairs. `all_pairs` corrects that one
expression before the module is loaded, and nothing else.
"""

import contextlib
import csv
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nimo
import nimo.ai_tools.ai_tool_combi as combi

WRONG = "remain_list = np.sort(list(set([ii for ii in range(len(best))]) - set(del_list)))"
RIGHT = "remain_list = np.sort(list(set(range(len(inclination_elements))) - set(del_list)))"


def load_combi(*, all_pairs: bool) -> None:
    """Load COMBI as shipped, or with its list of pairs counted by pairs."""
    source = Path(combi.__file__).read_text(encoding="utf-8")
    assert source.count(WRONG) == 1
    chosen = source.replace(WRONG, RIGHT) if all_pairs else source
    exec(compile(chosen, combi.__file__, "exec"), combi.__dict__)  # noqa: S102


def propose(question: dict[str, Any], candidates: list[list[float]]) -> dict[str, Any]:
    """One film of COMBI."""
    printed = io.StringIO()
    rows = {tuple(c): "" for c in candidates}
    further = []
    for x, y in zip(question["X"], question["y"], strict=True):
        if rows.get(tuple(x)) == "":
            rows[tuple(x)] = y
        else:
            further.append([*x, y])
    with tempfile.TemporaryDirectory() as folder:
        known, wanted = Path(folder) / "candidates.csv", Path(folder) / "proposals.csv"
        with known.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*question["columns"], "objective"])
            writer.writerows([*x, y] for x, y in rows.items())
            writer.writerows(further)
        with contextlib.redirect_stdout(printed):
            nimo.selection(
                method="COMBI",
                input_file=str(known),
                output_file=str(wanted),
                num_objectives=1,
                num_proposals=question["devices"],
                physbo_score="EI",
                minimization=question["minimise"],
                combi_ranges=question["ranges"],
                spread_elements=question["pairs"],
            )
        with wanted.open(encoding="utf-8") as file:
            film = [[float(v) for v in row[1:]] for row in list(csv.reader(file))[1:]]
    lines = printed.getvalue().splitlines()
    chosen = int(next(line for line in lines if line.startswith("actions =")).split("=")[1])
    pair = lines[lines.index("Elements for composition-spread") + 1].split()
    return {"film": film, "base": [*map(list, rows), *(r[:-1] for r in further)][chosen], "pair": pair}


def main() -> None:
    """Answer until the questions end."""
    answers, loaded = sys.stdout, False
    candidates: list[list[float]] = []
    for line in sys.stdin:
        question = json.loads(line)
        candidates = question.get("candidates", candidates)
        if question["all_pairs"] != loaded:
            loaded = question["all_pairs"]
            load_combi(all_pairs=loaded)
        began = time.process_time()
        try:
            answer = {**propose(question, candidates), "cpu_seconds": time.process_time() - began}
        except SystemExit:
            answer = {"error": "COMBI found no pair to grade at the composition that it chose"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

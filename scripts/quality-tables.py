#!/usr/bin/env python3
"""Prints the tables of docs/method.md from the JSON of quality runs:

    for s in 404 505 606; do bin/upstream benchmark-drift --quality --seed $s --json $s.json; done
    scripts/quality-tables.py 404.json 505.json 606.json
"""
import json
import sys

runs = [json.load(open(path)) for path in sys.argv[1:]]
if not runs:
    sys.exit(__doc__)
names = [str(r["seed"]) for r in runs]


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |")


def head(*cells):
    row(*cells)
    print("|" + "---|" * len(cells))


def joined(values):
    values = list(values)
    return values[0] if len(set(values)) == 1 else " / ".join(values)


def number(value, digits=2):
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value):
    return "–" if value is None else f"{100 * value:.0f}"


def figures():
    head("figure", "the usual rule", "target", *("seed " + n for n in names))
    for rows in zip(*(r["table"] for r in runs)):
        usual = joined(r["usual_rule"] for r in rows)
        row(rows[0]["figure"], usual, rows[0]["target"], *(r["upstream"] + ("" if r["met"] else " ✗") for r in rows))


def grid(key):
    volumes = sorted(runs[0][key], key=int)
    head("ICC", *(v + " a week" for v in volumes))
    for icc in sorted(runs[0][key][volumes[0]], key=float):
        row(icc, *(" / ".join(number(r[key][v][icc]) for r in runs) for v in volumes))


def scenarios():
    head("planted", "recall", "placebo recall", "median delay, days", "duplicates", "right level")
    for rows in zip(*(r["detectors"]["upstream"]["scenarios"] for r in runs)):
        row(
            f"{rows[0]['scenario']} ({rows[0]['planted']})",
            " / ".join(percent(s["recall"]) for s in rows),
            " / ".join(percent(s["placebo_recall"]) for s in rows),
            " / ".join(number(s["median_delay_days"], 1).removesuffix(".0") for s in rows),
            " / ".join(number(s["duplicates_per_incident"]) for s in rows),
            " / ".join(percent(s["right_level"]) for s in rows),
        )


def calm():
    head("customers without a change", "the usual rule", "Upstream")
    usual, ours = (zip(*(r["detectors"][d]["null_customers"] for r in runs)) for d in ("threshold", "upstream"))
    for u, o in zip(usual, ours):
        rates = [" / ".join(number(s["false_alarms_per_customer_month"]) for s in rows) for rows in (u, o)]
        row(o[0]["scenario"], *rates)


figures()
print(f"\nFalse alerts per 100 node-months, Upstream, seeds {' / '.join(names)}:\n")
grid("false_alarms_per_100_node_months")
print("\nThe usual rule:\n")
grid("false_alarms_per_100_node_months_threshold")
print(f"\nFalse alarms a customer-month by kind of null customer, seeds {' / '.join(names)}:\n")
calm()
print(f"\nWhat is found, by kind of change, seeds {' / '.join(names)}, in percent; in brackets how many\n"
      "were planted in each. Delays are those of what was found.\n")
scenarios()

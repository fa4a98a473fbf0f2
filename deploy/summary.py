#!/usr/bin/env python3
"""summary.py BOOT.json SUITE.json COLD_MS: the table at the end of deploy/quickstart.

BOOT.json is what `thaw boot --json` said, SUITE.json what `thaw run --jobs --json` said, COLD_MS
how long one test took from power-on to its verdict."""
import json
import sys


def seconds(ms):
    return f"{ms / 1000:.2f} s"


def main():
    with open(sys.argv[1]) as file:
        boot = json.load(file)
    with open(sys.argv[2]) as file:
        suite = json.load(file)
    cold_ms = float(sys.argv[3])
    tests = suite["jobs"]
    width = max(len(test["name"]) for test in tests)

    print(f"\n{'test':<{width}}  {'verdict':<10} {'M instr.':>9} {'thaw':>9} {'in all':>9}")
    for test in tests:
        verdict = test["verdict"]
        print(f"{test['name']:<{width}}  {verdict:<10} {test['instructions'] / 1e6:>9.1f} "
              f"{test['thaw_ms']:>6.1f} ms {test['wall_ms']:>6.0f} ms")
        if verdict != "pass":
            print(f"{'':<{width}}  {test.get('reason') or ''}")
    thaws = sorted(test["thaw_ms"] for test in tests)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in suite["counts"].items() if count)
    print(f"\n{len(tests)} tests: {counts}")
    print(f"boot, once             {seconds(boot['wall_ms']):>9}   "
          f"({boot['instructions'] / 1e9:.2f} G instructions; "
          f"frozen in {boot['freeze_ms']:.0f} ms)")
    print(f"thaw, median           {thaws[len(thaws) // 2]:>6.1f} ms")
    print(f"the suite              {seconds(suite['wall_ms']):>9}")
    print(f"booting for each test  {seconds(cold_ms * len(tests)):>9}   "
          f"({len(tests)} x {seconds(cold_ms)}, measured on one: boot, then `uname -a`)")


main()

"""What durability costs: the speed of a job with checkpoints as usual, beside that of one that syncs and writes its progress once, at its end.

    python3 bench/checkpoint_cost.py build/release/millrace

Copy jobs of 4 KiB objects, the fastest that there are, and jobs through a filter. Two targets with their own settings, one at a time, in
interleaved rounds; medians.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import cluster as rig  # noqa: E402

ONCE = {"window_objects_max": 65536, "checkpoint_objects_max": 65536, "checkpoint_interval_ms": 3_600_000}
WIDE = {"window_objects_max": 65536}  # so that only the checkpoints differ


def run(cluster, operation, number):
    body = {"source": "ais://src", "destination": f"ais://{operation}{number}"}
    body |= {"operation": "copy"} if operation == "copy" else {"transform": "filter", "prefix": "0"}
    document = cluster.wait_job(cluster.call("POST", "/v1/jobs", body)["id"], seconds=600)
    assert document["state"] == "completed", document
    return document["objects"]["done"] / document["elapsed_seconds"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--objects", type=int, default=60_000)
    arguments.add_argument("--rounds", type=int, default=7)
    options = arguments.parse_args()
    with rig.Cluster(options.binary, targets=1, target_settings=WIDE) as usual, rig.Cluster(options.binary, targets=1, target_settings=ONCE) as once:
        clusters = {"usual": usual, "once": once}
        for cluster in clusters.values():
            subprocess.run([options.binary, "--endpoint", f"http://{cluster.proxy.endpoint()}", "bench", "put", "ais://src", "--size", "4KiB", "--count",
                            str(options.objects)], check=True, capture_output=True)
            cluster.add_filter("filter", "cat")
        rates = {}
        for number in range(options.rounds):
            order = list(clusters) if number % 2 == 0 else list(reversed(clusters))
            for operation in ("copy", "filter"):
                for name in order:
                    rates.setdefault((operation, name), []).append(run(clusters[name], operation, number))
    print(json.dumps([{"job": operation, "objects_per_second": {n: [round(r) for r in rates[operation, n]] for n in clusters},
                       "usual_over_once": round(statistics.median(a / b for a, b in zip(rates[operation, "usual"], rates[operation, "once"])), 3)}
                      for operation in ("copy", "filter")], indent=1))


if __name__ == "__main__":
    main()

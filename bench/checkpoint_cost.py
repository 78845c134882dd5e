"""What durability costs: the speed of a job with checkpoints as usual, beside that of one that syncs and writes its progress once, at its end.

    python3 bench/checkpoint_cost.py build/release/millrace

Copy jobs of 4 KiB objects, the fastest that there are. Two targets with their own settings, one at a time, in interleaved rounds; medians.
"""
import argparse
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import cluster as rig  # noqa: E402

USUAL = {"window_objects_max": 65536}  # so that only the checkpoints differ
ONCE = USUAL | {"checkpoint_objects_max": 65536, "checkpoint_interval": "1h"}


def rate(cluster, number):
    job = cluster.call("POST", "/v1/jobs", {"operation": "copy", "source": "ais://src", "destination": f"ais://dst{number}"})["id"]
    document = cluster.wait_job(job, seconds=600)
    assert document["state"] == "completed", document
    return document["objects"]["done"] / document["elapsed_seconds"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--objects", type=int, default=60_000)
    arguments.add_argument("--rounds", type=int, default=9)
    options = arguments.parse_args()
    with rig.Cluster(options.binary, targets=1, target_settings=USUAL) as usual, rig.Cluster(options.binary, targets=1, target_settings=ONCE) as once:
        clusters = {"usual": usual, "once": once}
        for cluster in clusters.values():
            assert cluster.run("bench", "put", "ais://src", "--size", "4KiB", "--count", str(options.objects))[0] == 0
        rates = {name: [] for name in clusters}
        for number in range(options.rounds):
            for name in list(clusters) if number % 2 == 0 else list(reversed(clusters)):
                rates[name].append(rate(clusters[name], number))
    share = statistics.median(a / b for a, b in zip(rates["usual"], rates["once"]))
    print(json.dumps({"objects_per_second": {name: [round(r) for r in values] for name, values in rates.items()}, "usual_over_once": round(share, 3)}))


if __name__ == "__main__":
    main()

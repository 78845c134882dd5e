"""How a job's speed grows with the number of targets: a transform that sleeps for 20 ms, so that two cores do not limit it, a few objects at
once on each target, and as many objects for each target.

    python3 bench/scale_targets.py build/release/millrace --targets 1,2,4,8

Efficiency is the speed over the number of targets, relative to the first row. Where objects lie is a hash of their names, so the fullest
target has a few percent more than its share: "balance" is what that alone leaves of the efficiency.
"""
import argparse
import json
import pathlib
import sys

TREE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests/support"))
import cluster as rig  # noqa: E402

SERVER = {"command": ["python3", "-S", str(TREE / "tests/support/echo_server.py")], "env": {"ECHO_DEAF": "1", "ECHO_DELAY_MS": "20"}, "init_timeout": "30s"}


def measure(options, targets):
    count = targets * options.objects
    with rig.Cluster(options.binary, targets=targets) as cluster:
        assert cluster.run("bench", "put", "ais://src", "--size", "1KiB", "--count", str(count))[0] == 0
        cluster.add_transform({"name": "sleep20", **SERVER})
        document = cluster.wait_job(cluster.submit("sleep20", "src", "dst", num_workers=options.workers), seconds=900)
        assert document["state"] == "completed" and document["objects"]["done"] == count, document
        fullest = max(s["objects"]["done"] for s in document["slices"])
        return {"targets": targets, "objects_per_second": round(count / document["elapsed_seconds"], 1), "balance": round(count / targets / fullest, 3)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--targets", default="1,2,4,8")
    arguments.add_argument("--objects", type=int, default=4000, help="for each target")
    arguments.add_argument("--workers", type=int, default=4, help="objects at once on each target")
    options = arguments.parse_args()
    rows = [measure(options, int(targets)) for targets in options.targets.split(",")]
    for row in rows:
        row["efficiency"] = round(row["objects_per_second"] / row["targets"] / (rows[0]["objects_per_second"] / rows[0]["targets"]), 3)
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

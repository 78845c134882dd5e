"""Kills nodes while a job runs, and checks afterwards that nothing was lost and little was done twice.

    python3 tests/campaign/kill_nodes.py build/release/millrace --objects 100000 --kills 10
    python3 tests/campaign/kill_nodes.py build/release/millrace --objects 20000 --kills 5 --all

Each object's transform appends the object's name to a file per process group, so that runs can be counted; the output is the
SHA-256 of the input, compared with an independent computation. Prints its figures as JSON.
"""
import argparse
import collections
import hashlib
import http.client
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402
import loader  # noqa: E402


def digest_line(content):
    """What sha256sum prints."""
    return hashlib.sha256(content).hexdigest().encode() + b"  -\n"


def settled(document):
    counts = document["objects"]
    return counts["done"] + counts["skipped"] + counts["failed"] + counts["quarantined"]


def kill_and_restart(cluster, chance, everything):
    victims = cluster.nodes if everything else [chance.choice(cluster.nodes)]
    for node in victims:
        node.kill()
    for node in victims:
        node.start()
    return [node.name for node in victims]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--objects", type=int, default=100_000)
    arguments.add_argument("--kills", type=int, default=10)
    arguments.add_argument("--all", action="store_true", help="kill all nodes together")
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}", file=sys.stderr)
    chance = random.Random(options.seed)
    all_names = loader.names(options.objects)
    with rig.Cluster(options.binary) as cluster:
        runs = cluster.folder / "runs"
        cluster.create_bucket("src")
        begun = time.monotonic()
        loader.load(cluster, "src", all_names, lambda index: loader.contents(index, options.seed))
        load_seconds = time.monotonic() - begun
        cluster.add_filter("count-runs", f"echo $MILLRACE_OBJECT >> {runs}; exec sha256sum", obj_timeout="30s")
        begun = time.monotonic()
        job = cluster.submit("count-runs", "src", "dst")
        kills, high = [], 0
        # Kills are spread over the job by what is settled durably, plus a random moment.
        marks = sorted(chance.uniform(0.02, 0.92) * options.objects for _ in range(options.kills))
        for mark in marks:
            def reached():
                nonlocal high
                try:
                    now = settled(cluster.job(job))
                except (OSError, http.client.HTTPException, rig.Problem):
                    return False
                high = max(high, now)
                return now >= mark
            rig.wait_for(f"{mark:.0f} objects to be settled", reached, 900)
            time.sleep(chance.uniform(0, 1))  # a random moment is the point here
            kills.append({"settled": high, "nodes": kill_and_restart(cluster, chance, options.all)})
        document = cluster.wait_job(job, seconds=1800)
        seconds = time.monotonic() - begun
        cluster.wait_ready()
        wrong = loader.wrong_outputs(cluster, "dst", all_names, lambda index: digest_line(loader.contents(index, options.seed)))
        known = set(all_names)
        counted = collections.Counter(name for name in runs.read_text().split() if name in known)  # not those of trials
        listed = cluster.list("dst")
        report = [json.loads(line) for line in cluster.request("GET", f"/v1/jobs/{job}/report")[2].splitlines()]
        slices = [line for line in report if line["kind"] == "slice"]
        result = {
            "state": document["state"], "objects": document["objects"], "seconds": round(seconds, 1), "load_seconds": round(load_seconds, 1),
            "kills": kills, "wrong_outputs": len(wrong), "outputs_listed": len(listed), "never_run": options.objects - len(counted),
            "run_more_than_once": sum(1 for n in counted.values() if n > 1), "extra_runs": sum(counted.values()) - len(counted),
            "report_adds_up": sum(settled(line) for line in slices) == options.objects == settled(document)
            and sum(line["objects"]["total"] for line in slices) == options.objects and report[-1] == {"kind": "end", "errors": 0, "complete": True},
            "checkpoint_bytes": [line["checkpoint_bytes"] for line in slices],
        }
        print(json.dumps(result, indent=1))
        good = (document["state"] == "completed" and not wrong and len(listed) == options.objects and result["never_run"] == 0 and result["report_adds_up"])
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

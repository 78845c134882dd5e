"""Kills nodes while a job runs, and checks afterwards that nothing was lost and little was done twice.

    python3 tests/campaign/kill_nodes.py build/release/millrace --objects 100000 --kills 10
    python3 tests/campaign/kill_nodes.py build/release/millrace --objects 20000 --kills 5 --all

Each object's transform appends the object's name to a file per process group, so that runs can be counted; the output is the
SHA-256 of the input, compared with an independent computation. Prints its figures as JSON.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import http.client
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402


def contents(index, seed):
    """1 to 64 KiB, every object another content."""
    chance = random.Random(f"{seed}/{index}")
    size = int(1024 * 64 ** chance.random())
    block = chance.randbytes(256)
    return (block * (size // 256 + 1))[:size]


def names(count):
    return [f"part{i % 50:02d}/object-{i:06d}.bin" for i in range(count)]


def per_target(cluster, work, items):
    """Calls work(connection of each target by id, item) for all items from a few threads."""
    def run(chunk):
        connections = {t.name: http.client.HTTPConnection(t.endpoint(), timeout=60) for t in cluster.targets}
        return [work(connections, item) for item in chunk]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return [r for part in pool.map(run, [items[i::4] for i in range(4)]) for r in part]


def exchange(connections, method, path, body=None):
    """Follows at most one redirect between targets."""
    target = next(iter(connections))
    for _ in range(2):
        connection = connections[target]
        connection.request(method, path, body=body)
        reply = connection.getresponse()
        answer = reply.read()
        if reply.status not in (301, 307):
            return reply.status, answer
        host = reply.headers["Location"].removeprefix("http://").split("/")[0]
        target = next(name for name, c in connections.items() if f"{c.host}:{c.port}" == host)
    raise rig.Failed("redirected twice")


def load(cluster, all_names, seed):
    def put(connections, item):
        status, answer = exchange(connections, "PUT", f"/v1/objects/src/{item[1]}", contents(item[0], seed))
        assert status == 200, answer
    per_target(cluster, put, list(enumerate(all_names)))


def check_outputs(cluster, all_names, seed):
    def check(connections, item):
        status, answer = exchange(connections, "GET", f"/v1/objects/dst/{item[1]}")
        expected = hashlib.sha256(contents(item[0], seed)).hexdigest() + "  -\n"
        return status == 200 and answer.decode() == expected
    return per_target(cluster, check, list(enumerate(all_names))).count(False)


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
    all_names = names(options.objects)
    with rig.Cluster(options.binary) as cluster:
        runs = cluster.folder / "runs"
        cluster.create_bucket("src")
        begun = time.monotonic()
        load(cluster, all_names, options.seed)
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
        wrong = check_outputs(cluster, all_names, options.seed)
        counted = collections.Counter(runs.read_text().split())
        listed = cluster.list("dst")
        report = [json.loads(line) for line in cluster.request("GET", f"/v1/jobs/{job}/report")[2].splitlines()]
        slices = [line for line in report if line["kind"] == "slice"]
        result = {
            "state": document["state"], "objects": document["objects"], "seconds": round(seconds, 1), "load_seconds": round(load_seconds, 1),
            "kills": kills, "wrong_outputs": wrong, "outputs_listed": len(listed), "never_run": options.objects - len(counted),
            "run_more_than_once": sum(1 for n in counted.values() if n > 1), "extra_runs": sum(counted.values()) - len(counted),
            "report_adds_up": sum(settled(line) for line in slices) == options.objects == settled(document)
            and sum(line["objects"]["total"] for line in slices) == options.objects and report[-1] == {"kind": "end", "errors": 0, "complete": True},
            "checkpoint_bytes": [line["checkpoint_bytes"] for line in slices],
        }
        print(json.dumps(result, indent=1))
        good = (document["state"] == "completed" and wrong == 0 and len(listed) == options.objects and result["never_run"] == 0 and result["report_adds_up"])
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""Whether a node minds how many objects there are: for buckets of several sizes, the time from submit to the first object done and the
memory of the nodes; within a job over the largest, the journal of a slice and the time from a restart to the first object done, early
and late.

    python3 bench/many_objects.py build/release/millrace --objects 10000,100000,1000000,5000000

Objects of 600 bytes, one target, copy jobs. The target is killed -9 and started again when the settled objects of the last job pass each of
the smaller numbers, and once when nine tenths are done. Prints one JSON document; about a quarter of an hour for 5,000,000.
"""
import argparse
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import cluster as rig  # noqa: E402

BASE = 100_000
TINY = 10_000
POLL = 0.001
ATTEMPTS = "millrace_attempts_total"


def until(what, condition, seconds=600.0):
    """As rig.wait_for, and looks oftener: seconds until it held."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise rig.Failed(f"waited {seconds} s for {what}")
        time.sleep(POLL)
    return time.monotonic() - begun


def copy(cluster, source, destination, prepend=""):
    body = {"operation": "copy", "source": f"ais://{source}", "destination": f"ais://{destination}"}
    if prepend:
        body["prepend"] = prepend
    return cluster.call("POST", "/v1/jobs", body)["id"]


def complete(cluster, job, count):
    document = cluster.wait_job(job, seconds=3600)
    assert document["state"] == "completed" and document["objects"]["done"] == count, document
    return document


def fill(cluster, bucket, count):
    """Puts the base once, then copies it under other names."""
    if count <= BASE:
        assert cluster.run("bench", "put", f"ais://{bucket}", "--size", "600", "--count", str(count))[0] == 0
        return
    cluster.create_bucket(bucket)
    for part in range(count // BASE):
        complete(cluster, copy(cluster, f"many{BASE}", bucket, f"part{part:03}/"), BASE)


def first_object(cluster, job_of):
    """The job, and the seconds from its submission to its first object done."""
    before = cluster.metric(ATTEMPTS)
    begun = time.monotonic()
    job = job_of()
    until("the first object", lambda: cluster.metric(ATTEMPTS) > before)
    return job, time.monotonic() - begun


def memory(cluster):
    return {node.name: round(node.resident_bytes() / 2**20) for node in cluster.nodes}


def restart(cluster, job):
    """Kills the target: its journal and what the restart took."""
    target = cluster.targets[0]
    target.kill()
    slices = cluster.job(job)
    target.start()
    started = until("the target's endpoint", lambda: target.endpoint() and answers(cluster))
    first = until("the first object after the restart", lambda: cluster.metric(ATTEMPTS) > 0)
    return {"settled": slices["objects"]["done"], "journal_bytes": slices["slices"][0]["checkpoint_bytes"],
            "seconds_to_serve": round(started, 3), "seconds_to_first_object": round(started + first, 3)}


def answers(cluster):
    try:
        return cluster.request("GET", "/health", node=cluster.targets[0])[0] == 200
    except OSError:
        return False


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--objects", default="10000,100000,1000000,5000000")
    options = arguments.parse_args()
    counts = sorted({BASE, *(int(c) for c in options.objects.split(","))})
    if any(count > BASE and count % BASE != 0 for count in counts):
        arguments.error(f"counts above {BASE} must be multiples of it")
    rows, resumes = [], []
    with rig.Cluster(options.binary, targets=1) as cluster:
        fill(cluster, "warm", TINY)
        for number in range(30):  # so that buffers are as full as they get
            complete(cluster, copy(cluster, "warm", f"warm{number}"), TINY)
        for count in counts:
            bucket = f"many{count}"
            begun = time.monotonic()
            fill(cluster, bucket, count)
            filled = time.monotonic() - begun
            firsts = []
            for number in range(3):
                job, first = first_object(cluster, lambda n=number: copy(cluster, bucket, f"first{count}-{n}"))
                firsts.append(round(first, 4))
                if number < 2:
                    cluster.command(job, "cancel")
                    rig.wait_for("the slice to stop", lambda: cluster.job(job)["slices"][0]["state"] == "stopped")
            document = complete(cluster, job, count)
            rows.append({"objects": count, "seconds_to_fill": round(filled), "seconds_to_first_object": firsts,
                         "job_objects_per_second": round(count / document["elapsed_seconds"]), "resident_mib": memory(cluster)})
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        job = copy(cluster, f"many{counts[-1]}", "resumed")
        for step in (*counts[:-1], counts[-1] * 9 // 10):
            rig.wait_for(f"{step} objects", lambda s=step: cluster.job(job)["objects"]["done"] >= s, 3600)
            resumes.append(restart(cluster, job))
            print(json.dumps(resumes[-1]), file=sys.stderr, flush=True)
        complete(cluster, job, counts[-1])
    print(json.dumps({"buckets": rows, "resumes_within_the_largest": resumes}, indent=1))


if __name__ == "__main__":
    main()

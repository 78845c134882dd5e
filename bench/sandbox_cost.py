"""What the sandbox costs an object of 4 KiB through `md5sum`, spawned and forked.

    python3 bench/sandbox_cost.py build/release/millrace [--before OTHER] [--rounds 5] [--count 1500]

One target each, with the sandbox, without it, and, to compare, of a build from before there was one. The table has medians of interleaved rounds, in
microseconds of an object, and what is more than with `sandbox: off`: the time of a job with one worker, which is the whole way of one object after the
other, and the processor time of the target and its filters.
"""
import argparse
import contextlib
import datetime
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import cluster as rig  # noqa: E402
from cpu_time import cpu_seconds_of_families  # noqa: E402


def measure(cluster, count, number):
    """Microseconds per object: of a job, and of processors."""
    before = cpu_seconds_of_families(cluster.targets)
    job = cluster.submit("md5-sum", "in", f"out-{number}", num_workers=1)
    document = cluster.wait_job(job, seconds=600)
    assert document["state"] == "completed" and document["objects"]["done"] == count, document
    begun, ended = (datetime.datetime.fromisoformat(document[moment]) for moment in ("created_at", "finished_at"))
    cpu = cpu_seconds_of_families(cluster.targets) - before
    return (ended - begun).total_seconds() / count * 1e6, cpu / count * 1e6


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--before")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--count", type=int, default=1500)
    options = arguments.parse_args()
    kinds = {"sandbox": (options.binary, "on"), "without": (options.binary, "off")}
    if options.before:
        kinds["before"] = (options.before, None)
    with contextlib.ExitStack() as stack:
        for way in ("spawned", "forked"):
            subjects = {}
            for kind, (binary, sandbox) in kinds.items():
                settings = {"fork_server": str(way == "forked").lower(), **({"sandbox": sandbox} if sandbox else {})}
                cluster = subjects[kind] = stack.enter_context(rig.Cluster(binary, targets=1, target_settings=settings))
                cluster.create_bucket("in")
                status, _, said = cluster.run("bench", "put", "ais://in", "--size", "4KiB", "--count", options.count)
                assert status == 0, said
                cluster.add_filter("md5-sum", "md5sum")
                measure(cluster, options.count, "first")
                assert cluster.get("/v1/transforms/md5-sum")["targets"][0].get("start", way) == way
            times = {kind: [] for kind in subjects}
            for number in range(options.rounds):
                for kind, cluster in subjects.items():
                    times[kind].append(measure(cluster, options.count, number))
            for number, what in enumerate(("time", "CPU")):
                medians = {kind: statistics.median(pair[number] for pair in found) for kind, found in times.items()}
                for kind, median in medians.items():
                    spread = [pair[number] for pair in times[kind]]
                    print(f"{way:8} {what:4} {kind:8} {median:7.1f} us   {median - medians['without']:+6.1f}   {min(spread):.1f}-{max(spread):.1f}", flush=True)


if __name__ == "__main__":
    main()

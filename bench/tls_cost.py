"""What TLS costs: the same objects of the same cluster, by http and by https, for each of several binaries.

    python3 bench/tls_cost.py build/release/millrace [OTHER ...] [--rounds 5] [--seconds 4] [--targets 3]

GETs are those of `millrace bench` over 16 connections; a copy is a job whose names change, so most of its results go to another target. Client
and nodes share the machine, so both ends' encryption is in each figure. Rounds are interleaved; the table has medians of rates, of the CPU time of
all nodes per object, and the share of http's rate that https has.
"""
import argparse
import contextlib
import json
import pathlib
import shutil
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import cluster as rig  # noqa: E402
from certificates import Authority, encrypt  # noqa: E402
from cpu_time import cpu_seconds  # noqa: E402

SIZES = {"4KiB": 4000, "64KiB": 6000}


def prepared(cluster):
    for size, count in SIZES.items():
        cluster.create_bucket(f"of-{size.lower()}")
        status, _, said = cluster.run("bench", "put", f"ais://of-{size.lower()}", "--size", size, "--count", str(count))
        assert status == 0, said
    return cluster


def get(cluster, size, seconds):
    """Objects, and seconds that they took."""
    status, said, error = cluster.run("bench", "get", f"ais://of-{size.lower()}", "--duration", f"{seconds}s", "--json")
    assert status == 0, error
    figures = json.loads(said)
    assert figures["errors"] == 0, figures
    return figures["objects"], figures["seconds"]


def copy(cluster, size, _):
    cluster.copies = getattr(cluster, "copies", 0) + 1
    request = {"operation": "copy", "source": f"ais://of-{size.lower()}", "destination": f"ais://copies-{cluster.copies}", "prepend": "moved/"}
    began = time.monotonic()
    job = cluster.wait_job(cluster.call("POST", "/v1/jobs", request)["id"])
    seconds = time.monotonic() - began
    assert job["state"] == "completed", job
    return SIZES[size], seconds


ROWS = {"get-4KiB": (get, "4KiB"), "get-64KiB": (get, "64KiB"), "copy-64KiB": (copy, "64KiB")}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binaries", nargs="+")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--targets", type=int, default=3)
    arguments.add_argument("--rows", default=",".join(ROWS))
    options = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        subjects = {}
        for binary in options.binaries:
            authority = Authority(binary)
            stack.callback(shutil.rmtree, authority.folder)
            for scheme in ("http", "https"):
                cluster = rig.Cluster(binary, targets=options.targets)
                if scheme == "https":
                    encrypt(cluster, authority)
                subjects[binary, scheme] = prepared(stack.enter_context(cluster))
        for row in options.rows.split(","):
            work, size = ROWS[row]
            rates, costs = {key: [] for key in subjects}, {key: [] for key in subjects}
            for cluster in subjects.values():  # connections are made once, and kept
                work(cluster, size, 1)
            for _ in range(options.rounds):
                for key, cluster in subjects.items():
                    before = cpu_seconds(cluster.nodes)
                    count, seconds = work(cluster, size, options.seconds)
                    rates[key].append(count / seconds)
                    costs[key].append((cpu_seconds(cluster.nodes) - before) / count * 1e6)
            for binary in options.binaries:
                plain, encrypted = (statistics.median(rates[binary, scheme]) for scheme in ("http", "https"))
                of_nodes = [f"{statistics.median(costs[binary, scheme]):.0f}" for scheme in ("http", "https")]
                print(f"{row:11} {plain:8.0f}/s http {encrypted:8.0f}/s https = {encrypted / plain:.2f}   nodes {' and '.join(of_nodes)} us   {binary}",
                      flush=True)


if __name__ == "__main__":
    main()

"""What the way of an object's bytes over HTTP costs a target: CPU time per object and per MiB, and rates, for each of several binaries.

    python3 bench/data_path.py build/release/millrace [OTHER ...] [--rows get-1MiB,put-64KiB] [--rounds 5]

One target each, on loopback. GETs come one after the other on one connection, from a client that throws the bytes away in the kernel, so
that nearly all that is measured is the target. PUTs and the mix come from `millrace bench` of the last binary, over 8 connections,
into new names, but for those over objects of before. Rounds are interleaved; the table has medians, and how many times the first binary's each is.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import cluster as rig  # noqa: E402
from cpu_time import cpu_seconds  # noqa: E402
from warm_memory import warm  # noqa: E402

MIB = 2**20
BLOCK = bytearray(4 * MIB)
MIX = "4KiB:25,8KiB:25,16KiB:20,32KiB:15,64KiB:15"
ROWS = {  # what is done, the size of an object or sizes, how many times, and how much of an object
    "get-1MiB": ("get", MIB, 1000, None),
    "get-64MiB": ("get", 64 * MIB, 32, None),
    "range-1MiB": ("get", 64 * MIB, 1000, MIB),
    "range-16MiB": ("get", 64 * MIB, 100, 16 * MIB),
    "put-64KiB": ("put", "64KiB", 6000, None),
    "put-1MiB": ("put", "1MiB", 500, None),
    "over-64KiB": ("over", "64KiB", 6000, None),
    "over-1MiB": ("over", "1MiB", 500, None),
    "mix-4-64KiB": ("mixed", MIX, 15000, None),
}


def fetch(connection, request, length):
    connection.sendall(request)
    head = b""
    while b"\r\n\r\n" not in head:
        peeked = connection.recv(4096, socket.MSG_PEEK)
        assert peeked, "the connection ended before an answer"
        end = peeked.find(b"\r\n\r\n")
        head += connection.recv(end + 4 if end >= 0 else len(peeked))
    assert re.match(rb"HTTP/1.1 20[06] ", head), head
    left = length
    while left > 0:
        count = connection.recv_into(BLOCK, min(left, len(BLOCK)), socket.MSG_TRUNC)
        assert count > 0, "the connection ended within an object"
        left -= count


def gets(cluster, size, count, part):
    """Bytes that came."""
    host, port = cluster.targets[0].endpoint().split(":")
    name = f"of{size}"
    if name not in cluster.prepared:
        cluster.put("data", name, os.urandom(size))
        cluster.prepared.add(name)
    length = part or size
    wanted = f"Range: bytes={MIB}-{MIB + part - 1}\r\n" if part else ""
    request = f"GET {cluster.object_path('data', name)} HTTP/1.1\r\nHost: t\r\n{wanted}\r\n".encode()
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        for _ in range(count):
            fetch(connection, request, length)
    return count * length


def bench(client, cluster, *arguments):
    done = subprocess.run([client, "bench", *arguments, "--endpoint", cluster.proxy.endpoint(), "--json"], capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert document["errors"] == 0, document
    return document["bytes"]


def loads(client, cluster, operation, sizes, count, number):
    mix = ["--put-share", "30", "--seed", str(number + 2)] if operation == "mixed" else []
    if mix and "mix" not in cluster.prepared:
        bench(client, cluster, "put", "ais://data/mix/", "--size", sizes, "--count", "4000")
        cluster.prepared.add("mix")
    prefix = {"mixed": "mix", "over": f"over-{sizes}"}.get(operation, f"{sizes}-{number}") + "/"
    options = ["--size", sizes, "--count", str(count), "--concurrency", "8"]
    return bench(client, cluster, "put" if operation == "over" else operation, f"ais://data/{prefix}", *options, *mix)


def measure(client, cluster, row, number):
    kind, size, count, part = ROWS[row]
    if kind != "get":
        warm(2048 * MIB)
    cpu, begun = cpu_seconds(cluster.targets), time.perf_counter()
    moved = gets(cluster, size, count, part) if kind == "get" else loads(client, cluster, kind, size, count, number)
    seconds, cpu = time.perf_counter() - begun, cpu_seconds(cluster.targets) - cpu
    return {"cpu_us_per_object": cpu / count * 1e6, "cpu_us_per_mib": cpu / moved * MIB * 1e6, "objects_per_second": count / seconds}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binaries", nargs="+")
    arguments.add_argument("--rows", default=",".join(ROWS))
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    client = options.binaries[-1]
    with contextlib.ExitStack() as stack:
        clusters = [stack.enter_context(rig.Cluster(binary, targets=1)) for binary in options.binaries]
        for cluster in clusters:
            cluster.create_bucket("data")
            cluster.prepared = set()
        for row in options.rows.split(","):
            measured = [[] for _ in clusters]
            for number in range(-1, options.rounds):  # the first warms up
                order = list(enumerate(clusters))
                for which, cluster in order if number % 2 == 0 else reversed(order):
                    figures = measure(client, cluster, row, number)
                    if number >= 0:
                        measured[which].append(figures)
            medians = [{key: statistics.median(f[key] for f in figures) for key in figures[0]} for figures in measured]
            for binary, figures in zip(options.binaries, medians):
                times = {key: round(figures[key] / medians[0][key], 2) for key in figures}
                print(json.dumps({"row": row, "binary": binary, **{key: round(value, 1) for key, value in figures.items()}, "times": times}), flush=True)


if __name__ == "__main__":
    main()

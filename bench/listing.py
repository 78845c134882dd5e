"""How fast a bucket's names are listed through the proxy: in AIStore's words (msgpack, pages of 10,000), and by `millrace ls`; three
targets. Several builds, side by side on the same objects.

    python3 bench/listing.py build/release/millrace [MORE...] --count 1000000

The nodes are started with each binary in turn, and list once before anything is measured. Interleaved rounds, medians; the CPU time of the proxy
and of all targets, in microseconds per name, is worth more than the rate where other work shares the machine.
"""
import argparse
import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import time

TREE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests/support"))
import cluster as rig  # noqa: E402
from cpu_time import cpu_seconds  # noqa: E402

BUCKET = "names"
TOKEN = b"ContinuationToken"
NAME = b"\xa1n"  # the key of each entry's name


def token_of(page):
    """The text behind its key, without reading the rest: a client that costs nothing."""
    at = page.index(TOKEN) + len(TOKEN)
    kind = page[at]
    if kind == 0xD9:
        return page[at + 2:at + 2 + page[at + 1]].decode()
    if kind == 0xDA:
        return page[at + 3:at + 3 + int.from_bytes(page[at + 1:at + 3], "big")].decode()
    return page[at + 1:at + 1 + (kind & 0x1F)].decode()


def list_through_proxy(cluster, props):
    connection = http.client.HTTPConnection(cluster.proxy.endpoint(), timeout=180)
    token, names = "", 0
    while True:
        value = {"prefix": "", "pagesize": 10_000, "uuid": "", "props": props, "continuation_token": token, "flags": "0"}
        connection.request("GET", f"/v1/buckets/{BUCKET}", json.dumps({"action": "list", "value": value}), {"Accept": "application/msgpack"})
        reply = connection.getresponse()
        page = reply.read()
        assert reply.status == 200, page
        names += page.count(NAME)
        token = token_of(page)
        if not token:
            return names


def list_by_command(cluster):
    done = subprocess.run([cluster.proxy.binary, "--endpoint", f"http://{cluster.proxy.endpoint()}", "ls", f"ais://{BUCKET}"],
                          check=True, capture_output=True)
    return done.stdout.count(b"\n")


def restart(cluster, binary):
    for node in reversed(cluster.nodes):
        node.stop()
    for node in cluster.nodes:
        node.binary = binary
    cluster.start()


def measure(cluster, count, lists):
    began, proxy, targets = time.monotonic(), cpu_seconds([cluster.proxy]), cpu_seconds(cluster.targets)
    listed = lists()
    seconds = time.monotonic() - began
    assert listed == count, f"{listed} names of {count}"
    return {"names_per_second": count / seconds, "proxy_us": (cpu_seconds([cluster.proxy]) - proxy) / count * 1e6,
            "targets_us": (cpu_seconds(cluster.targets) - targets) / count * 1e6}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binaries", nargs="+")
    arguments.add_argument("--count", type=int, default=200_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--props", default="name,size")
    options = arguments.parse_args()
    figures = {}
    with rig.Cluster(options.binaries[0], targets=3) as cluster:
        status, _, errors = cluster.run("bench", "put", f"ais://{BUCKET}", "--size", "1", "--count", options.count, timeout=3600)
        assert status == 0, errors
        for number in range(options.rounds):
            for binary in options.binaries[::1 if number % 2 == 0 else -1]:
                restart(cluster, binary)
                ways = {"proxy": lambda: list_through_proxy(cluster, options.props), "ls": lambda: list_by_command(cluster)}
                ways["proxy"]()
                for way, lists in ways.items():
                    for figure, value in measure(cluster, options.count, lists).items():
                        figures.setdefault((binary, way), {}).setdefault(figure, []).append(value)
    for (binary, way), measured in figures.items():
        print(json.dumps({"binary": binary, "way": way, "names": options.count,
                          **{figure: round(statistics.median(values), 2) for figure, values in measured.items()},
                          "rounds": [round(v) for v in measured["names_per_second"]]}))


if __name__ == "__main__":
    main()

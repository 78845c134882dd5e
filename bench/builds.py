"""Two builds of Millrace, side by side: what a change made faster or slower.

    python3 bench/builds.py OLD/millrace NEW/millrace               every row, about half an hour
    python3 bench/builds.py OLD/millrace NEW/millrace --short       fewer objects, some minutes
    python3 bench/builds.py OLD/millrace NEW/millrace --rows copy-4KiB,listing

A cluster of one target for each, at the same time on the same disk; rounds are interleaved, and the first, which warms up, is not counted. Each
row has medians, the least and the most, and how many times as fast the new build is. CPU is that of proxy, target and what they started, in
microseconds per object: worth more than the rate where other work shares the machine; node CPU is without what they started. Listings have three
targets (bench/listing.py), bytes over HTTP their own rows (bench/data_path.py). Writes builds.json into --out.
"""
import argparse
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests/support"))
import cluster as rig  # noqa: E402
import data_path  # noqa: E402
import listing  # noqa: E402
from cpu_time import cpu_seconds, cpu_seconds_of_families  # noqa: E402
from warm_memory import warm  # noqa: E402

WARM_BYTES = 2 << 30


class Side:
    """One build: a cluster of it. Loads come from the newest of the binaries, so that they are the same for all."""

    def __init__(self, cluster, work, newest):
        self.cluster, self.work, self.newest = cluster, work, newest
        self.echo_server = pathlib.Path(newest).parent / "bench/echo_server"
        self.prepared = set()
        cluster.create_bucket("data")
        cluster.prepared = set()

    def run(self, *arguments):
        status, out, errors = self.cluster.run(*arguments, timeout=3600)
        assert status == 0, errors
        return out

    def fill(self, size, count):
        """A bucket of so many objects, made once."""
        bucket = f"src-{size.lower()}-{count}"
        if bucket not in self.prepared:
            self.run("bench", "put", f"ais://{bucket}", "--size", size, "--count", count, "--concurrency", "8")
            self.prepared.add(bucket)
        return bucket

    def transform(self, name, **specification):
        if name not in self.prepared:
            self.cluster.add_transform({"name": name, **specification})
            self.prepared.add(name)
        return name

    def measured_job(self, number, bucket, count, **job):
        warm(WARM_BYTES)
        body = {"source": f"ais://{bucket}", "destination": f"ais://out-{bucket}-{number + 1}-{job.get('transform', 'copy')}", **job}
        cpu, own = cpu_seconds_of_families(self.cluster.nodes), cpu_seconds(self.cluster.nodes)
        document = self.cluster.wait_job(self.cluster.call("POST", "/v1/jobs", body)["id"], seconds=1800)
        assert document["state"] == "completed" and document["objects"]["done"] == count, document
        begun, ended = (datetime.datetime.fromisoformat(document[moment]) for moment in ("created_at", "finished_at"))
        return {"per_second": count / (ended - begun).total_seconds(), "cpu_us": (cpu_seconds_of_families(self.cluster.nodes) - cpu) / count * 1e6,
                "node_cpu_us": (cpu_seconds(self.cluster.nodes) - own) / count * 1e6}


# ---- rows: what one round of one side measured

def copy(size, count):
    def measure(side, number, scale):
        objects = int(count * scale)
        return side.measured_job(number, side.fill(size, objects), objects, operation="copy")
    return measure


def filter_md5(side, number, scale):
    """CPU with what the filter itself takes, which is most of it; that of the nodes is without."""
    count = int(4000 * scale)
    side.transform("bench-md5", cmd="md5sum")
    return side.measured_job(number, side.fill("16KiB", count), count, transform="bench-md5")


def framed_stream(side, number, scale):
    count = int(30_000 * scale)
    server = side.work / "stream-echo"
    if not server.exists():
        source = side.work / "stream-echo.cc"
        source.write_text('#include "millrace_transform.h"\n'
                          "int main() { return millrace::serve([](std::string_view data, auto, auto) { return std::string(data); }); }\n")
        subprocess.run(["g++", "-std=c++17", "-O2", f"-I{TREE}/sdk/cpp", "-pthread", "-o", server, source], check=True)
    side.transform("framed-echo", communication="stream://", command=[str(server)])
    return side.measured_job(number, side.fill("4KiB", count), count, transform="framed-echo")


def http_echo(side, number, scale):
    count = int(30_000 * scale)
    side.transform("http-echo", command=[str(side.echo_server)])
    return side.measured_job(number, side.fill("4KiB", count), count, transform="http-echo")


def small_jobs(side, number, scale):
    """Jobs of one object, one after another, by one client over the API."""
    count = int(1000 * scale)
    bucket = side.fill("4KiB", 1)
    connection = http.client.HTTPConnection(side.cluster.proxy.endpoint(), timeout=60)

    def call(method, path, document=None):
        connection.request(method, path, body=json.dumps(document) if document else None)
        reply = connection.getresponse()
        body = reply.read()
        assert reply.status < 300, body
        return json.loads(body)

    job = {"operation": "copy", "source": f"ais://{bucket}", "destination": "ais://one"}
    cpu, begun = cpu_seconds_of_families(side.cluster.nodes), time.perf_counter()
    for _ in range(count):
        path = "/v1/jobs/" + call("POST", "/v1/jobs", job)["id"]
        while call("GET", path)["state"] != "completed":
            time.sleep(0.0005)
    return {"per_second": count / (time.perf_counter() - begun), "cpu_us": (cpu_seconds_of_families(side.cluster.nodes) - cpu) / count * 1e6}


def job_run(side, number, scale):
    """The whole command, for a job of one object."""
    bucket = side.fill("4KiB", 1)
    side.transform("same-bytes", cmd="cat")
    times = []
    for _ in range(10):
        begun = time.perf_counter()
        side.run("job", "run", "same-bytes", f"ais://{bucket}", "ais://ran")
        times.append(time.perf_counter() - begun)
    return {"per_second": 1 / statistics.median(times)}


def bytes_over_http(row):
    def measure(side, number, scale):
        figures = data_path.measure(side.newest, side.cluster, row, number)
        return {"per_second": figures["objects_per_second"], "cpu_us": figures["cpu_us_per_object"]}
    return measure


ROWS = {"copy-4KiB": copy("4KiB", 60_000), "copy-16KiB": copy("16KiB", 15_000), "filter-md5-16KiB": filter_md5, "stream-4KiB": framed_stream,
        "http-echo-4KiB": http_echo, "jobs-of-one": small_jobs, "job-run": job_run,
        **{row: bytes_over_http(row) for row in data_path.ROWS}}


def listings(binaries, rounds, scale, report):
    count = int(1_000_000 * scale)
    measured = {}
    with rig.Cluster(binaries[0], targets=3) as cluster:
        status, _, errors = cluster.run("bench", "put", f"ais://{listing.BUCKET}", "--size", "1", "--count", count, timeout=3600)
        assert status == 0, errors
        ways = {"listing": lambda: listing.list_through_proxy(cluster, "name,size"), "ls": lambda: listing.list_by_command(cluster)}
        for number in range(rounds):
            for binary in binaries[::1 if number % 2 == 0 else -1]:
                listing.restart(cluster, binary)
                ways["listing"]()
                for way, lists in ways.items():
                    figures = listing.measure(cluster, count, lists)
                    figures = {"per_second": figures["names_per_second"], "cpu_us": figures["proxy_us"] + figures["targets_us"]}
                    measured.setdefault(way, {}).setdefault(binary, []).append(figures)
    for way, sides in measured.items():
        report(way, [sides[binary] for binary in binaries])


def compare(row, sides, rounds, scale):
    measured = [[] for _ in sides]
    for number in range(-1, rounds):
        order = list(enumerate(sides))
        for which, side in order if number % 2 == 0 else reversed(order):
            figures = ROWS[row](side, number, scale)
            if number >= 0:
                measured[which].append(figures)
    return measured


def footprint(side):
    """Of the target, after all rows: its peak of memory, its threads, and its open files now."""
    process = pathlib.Path(f"/proc/{side.cluster.targets[0].process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return {"peak_mib": round(int(status["VmHWM"].split()[0]) / 1024), "threads": int(status["Threads"]), "files": len(list((process / "fd").iterdir()))}


def summary(row, measured):
    old, new = ({key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]} for rounds in measured)
    spread = [[round(min(f["per_second"] for f in rounds), 1), round(max(f["per_second"] for f in rounds), 1)] for rounds in measured]
    result = {"row": row, "per_second": [round(old["per_second"], 1), round(new["per_second"], 1)], "spread": spread,
              "times_as_fast": round(new["per_second"] / old["per_second"], 2)}
    for figure in ("cpu_us", "node_cpu_us"):
        if figure in old:
            result[figure] = [round(old[figure], 1), round(new[figure], 1)]
            result[figure.removesuffix("_us")] = round(new[figure] / max(old[figure], 0.001), 2)
    return result


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("old")
    arguments.add_argument("new")
    arguments.add_argument("--short", action="store_true")
    arguments.add_argument("--rows", default=",".join([*ROWS, "listing"]))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--out", default=".")
    options = arguments.parse_args()
    binaries = [str(pathlib.Path(binary).resolve()) for binary in (options.old, options.new)]
    scale = 0.2 if options.short else 1
    rows = options.rows.split(",")
    results = []

    def report(row, measured):
        results.append(summary(row, measured))
        print(json.dumps(results[-1]), flush=True)

    with contextlib.ExitStack() as stack:
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="millrace-builds-")))
        sides = []
        for index, binary in enumerate(binaries):
            folder = work / str(index)
            folder.mkdir()
            sides.append(Side(stack.enter_context(rig.Cluster(binary, targets=1)), folder, binaries[-1]))
        for row in rows:
            if row != "listing":
                report(row, compare(row, sides, options.rounds, scale))
        results.append({"row": "footprint", "targets": [footprint(side) for side in sides]})
        print(json.dumps(results[-1]), flush=True)
    if "listing" in rows:
        listings(binaries, options.rounds, scale, report)
    (pathlib.Path(options.out) / "builds.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

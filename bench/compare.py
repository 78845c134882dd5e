"""Millrace beside what people would use instead: the same objects, the same command, the same cores, in one run.

    python3 bench/compare.py build/release/millrace                    the whole table, about half an hour
    python3 bench/compare.py build/release/millrace --short            a few cells, under ten minutes
    python3 bench/compare.py build/release/millrace --only gzip,16KiB  one row

Writes comparison.md and comparison.json into --out. Every figure is a median of interleaved rounds; ratios are what carries over to other
machines. Contenders that are not installed are left out, and named. Objects lie on one target, and in a folder on the same disk for the
others; each side may use every core. The Python client does what a client of a storage service does: it gets an object, transforms it and
puts the result, on as many threads as --threads. In the first round every output of every contender is compared.
Moved is what crosses the network; peak is the resident memory of the target, or of the Python client.
"""
import argparse
import concurrent.futures
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/support"))
import cluster as rig  # noqa: E402
from warm_memory import warm  # noqa: E402

CORES = os.cpu_count()
# transform → command that reads the object on standard input and writes the result; None: the object itself
COMMANDS = {"identity": None, "md5": "md5sum", "gzip": "gzip -1n", "flac-to-wav": "ffmpeg -v error -i pipe:0 -f wav pipe:1", "sleep20": "sleep 0.02"}
SIZES = {"1KiB": (1 << 10, 20_000), "4KiB": (4 << 10, 20_000), "16KiB": (16 << 10, 10_000),
         "256KiB": (256 << 10, 2_000), "4MiB": (4 << 20, 200), "256MiB": (256 << 20, 4)}
FILTER_OBJECTS_MAX = 2_000  # a process per object takes milliseconds: more would only take longer
WARM_BYTES_MAX = 4 << 30
SHORT_BYTES_MAX = 128 << 20
SHORT = [("identity", "1KiB"), ("identity", "4MiB"), ("gzip", "16KiB"), ("flac-to-wav", "clip")]


def make_objects(folder, size, count):
    """Half random, half text, so that compressing means something."""
    randomness = random.Random(1)
    block = randomness.randbytes(size // 2) + (b"the mill comes to the grain. " * (size // 56 + 1))[:size - size // 2]
    for number in range(count):
        at = number % max(1, size)
        (folder / f"o{number:06}").write_bytes(block[at:] + block[:at])


def make_clips(folder, count):
    clip = folder / "clip.flac"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=10:c=pink:r=16000:a=0.5:seed=1", "-c:a", "flac", str(clip)], check=True)
    content = clip.read_bytes()
    clip.unlink()
    for number in range(count):
        (folder / f"o{number:06}").write_bytes(content)


def digest_of(names, read):
    """Of all outputs; read(name) gives one."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + hashlib.sha256(read(name)).digest())
    return digest.hexdigest()


class Measured:
    """Seconds, processor seconds and peak memory of what happens within."""

    def __init__(self, processes=()):
        self.processes = list(processes)

    def cpu(self):
        total = 0
        for process in self.processes:
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(int(f) for f in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = resource.getrusage(resource.RUSAGE_SELF)
        return total + children.ru_utime + children.ru_stime + own.ru_utime + own.ru_stime

    def __enter__(self):
        self.cpu_before, self.begun = self.cpu(), time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.begun
        self.cpu_seconds = self.cpu() - self.cpu_before


class Bench:
    def __init__(self, binary, work, threads):
        self.work, self.threads, self.binary = work, threads, binary
        self.cluster = rig.Cluster(binary, targets=1)
        self.cluster.__enter__()
        self.rounds = 0
        self.compares = False
        self.buckets, self.folders = [], []

    def close(self):
        self.cluster.__exit__(None, None, None)

    def load(self, name, folder):
        self.bucket, self.folder = name, folder
        self.names = sorted(file.name for file in folder.iterdir())
        self.count = len(self.names)
        self.bytes = sum(file.stat().st_size for file in folder.iterdir())
        subprocess.run([self.binary, "bucket", "create", f"ais://{name}"], env=self.environment(), check=True, stdout=subprocess.DEVNULL)
        subprocess.run([self.binary, "put", str(folder), f"ais://{name}"], env=self.environment(), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def environment(self):
        return {**os.environ, "MILLRACE_ENDPOINT": "http://" + self.cluster.proxy.endpoint()}

    def fresh_bucket(self):
        self.rounds += 1
        self.buckets.append(f"{self.bucket}-out{self.rounds}")
        return self.buckets[-1]

    def digest(self, read):
        return digest_of(self.names, read) if self.compares else None

    def remove_outputs(self):
        """Once per row: where files were just removed, ext4 takes several times as long to create others, for minutes."""
        for bucket in self.buckets:
            subprocess.run([self.binary, "bucket", "rm", f"ais://{bucket}"], env=self.environment(), check=True, stdout=subprocess.DEVNULL)
        for folder in self.folders:
            shutil.rmtree(folder)
        self.buckets, self.folders = [], []

    def reader(self, bucket):
        connection = http.client.HTTPConnection(self.cluster.targets[0].endpoint(), timeout=300)

        def read(name):
            connection.request("GET", f"/v1/objects/{bucket}/{name}")
            reply = connection.getresponse()
            content = reply.read()
            assert reply.status == 200, content
            return content
        return read

    # ---- the contenders: each returns what it measured and, when asked to compare, the digest of its outputs; they go to a fresh place

    def millrace(self, transform):
        destination = self.fresh_bucket()
        body = {"source": f"ais://{self.bucket}", "destination": f"ais://{destination}"}
        if COMMANDS[transform] is None:
            body["operation"] = "copy"
        else:
            body["transform"] = f"bench-{transform}"
        target = self.cluster.targets[0].process
        forget_peak(target.pid)
        with Measured([target, self.cluster.proxy.process]) as measured:
            document = self.cluster.wait_job(self.cluster.call("POST", "/v1/jobs", body)["id"], seconds=1800)
        assert document["state"] == "completed" and document["objects"]["done"] == self.count, document
        begun, ended = (datetime.datetime.fromisoformat(document[moment]) for moment in ("created_at", "finished_at"))
        measured.seconds = (ended - begun).total_seconds()  # we look for its end only now and then
        measured.moved = document["bytes"]["moved"]
        measured.peak_bytes = peak_of(target.pid)
        return measured, self.digest(self.reader(destination))

    def shell(self, transform, command_of):
        out = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        self.folders.append(out)
        command = command_of(out)
        with Measured() as measured:
            subprocess.run(command, shell=True, check=True, cwd=self.folder, executable="/bin/bash")
            os.sync()  # a job's results are durable when it is done
        measured.moved, measured.peak_bytes = 0, 0  # many small processes: not known
        return measured, self.digest(lambda name: (out / name).read_bytes())

    def xargs(self, transform):
        command = COMMANDS[transform]
        each = f"xargs -0 -P{CORES} -n 64 cp -t {{out}}" if command is None else f"xargs -0 -P{CORES} -I% sh -c '{command} < % > {{out}}/%'"
        return self.shell(transform, lambda out: "printf '%s\\0' * | " + each.format(out=out))

    def parallel(self, transform):
        command = COMMANDS[transform]
        each = "-n 64 cp -t {out} {{}}" if command is None else "'" + command + " < {{}} > {out}/{{}}'"
        return self.shell(transform, lambda out: f"printf '%s\\0' * | parallel -0 -j{CORES} --will-cite --joblog {out}.log " + each.format(out=out))

    def python_client(self, transform):
        destination = self.fresh_bucket()
        self.cluster.create_bucket(destination)
        command, local = COMMANDS[transform], threading.local()
        endpoint = self.cluster.targets[0].endpoint()

        def one(name):
            if not hasattr(local, "connection"):
                local.connection = http.client.HTTPConnection(endpoint, timeout=300)
            local.connection.request("GET", f"/v1/objects/{self.bucket}/{name}")
            content = local.connection.getresponse().read()
            if command is not None:
                content = subprocess.run(command, shell=True, input=content, capture_output=True, check=True).stdout
            local.connection.request("PUT", f"/v1/objects/{destination}/{name}", body=content)
            reply = local.connection.getresponse()
            reply.read()
            assert reply.status == 200

        forget_peak(os.getpid())
        with Measured([self.cluster.targets[0].process]) as measured, concurrent.futures.ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(one, self.names):
                pass
        measured.moved, measured.peak_bytes = 2 * self.bytes, peak_of(os.getpid())
        return measured, self.digest(self.reader(destination))


def forget_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_of(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def measure_row(bench, transform, contenders, rounds):
    digests, measured = set(), {}
    for number in range(rounds):
        bench.compares = number == 0
        order = contenders if number % 2 == 0 else list(reversed(contenders))
        for contender in order:
            warm(min(2 * bench.bytes, WARM_BYTES_MAX))
            result, digest = getattr(bench, contender)(transform)
            measured.setdefault(contender, []).append(result)
            if bench.compares:
                digests.add(digest)
    assert len(digests) == 1, "the contenders made different results"
    row = {}
    for contender, results in measured.items():
        rates = [bench.count / result.seconds for result in results]
        row[contender] = {"objects_per_second": statistics.median(rates), "spread": [min(rates), max(rates)],
                          "cpu_ms_per_object": 1000 * statistics.median(r.cpu_seconds for r in results) / bench.count,
                          "cpu_seconds_per_gib": statistics.median(r.cpu_seconds for r in results) / bench.bytes * (1 << 30),
                          "bytes_moved": results[-1].moved, "peak_bytes": max(r.peak_bytes for r in results)}
    for contender, figures in row.items():
        figures["millrace_is_times_as_fast"] = row["millrace"]["objects_per_second"] / figures["objects_per_second"]
    return row


def table(rows, missing):
    lines = ["| transform | objects | contender | objects/s (least–most) | Millrace is | CPU ms/object | CPU s/GiB | MiB moved | peak MiB |",
             "|---|---|---|---|---|---|---|---|---|"]
    for key, row in rows.items():
        transform, size = key.split("/")
        for contender, f in row.items():
            times = "" if contender == "millrace" else f"{f['millrace_is_times_as_fast']:.2f} times as fast"
            rate = f"{f['objects_per_second']:.0f} ({f['spread'][0]:.0f}–{f['spread'][1]:.0f})"
            peak = f"{f['peak_bytes'] / 2**20:.0f}" if f["peak_bytes"] else "–"
            lines.append(f"| {transform} | {size} | {contender.replace('_', ' ')} | {rate} | {times} | {f['cpu_ms_per_object']:.3f} | "
                         f"{f['cpu_seconds_per_gib']:.2f} | {f['bytes_moved'] / 2**20:.0f} | {peak} |")
    if missing:
        lines.append(f"\nNot installed here, so left out: {', '.join(missing)}.")
    return "\n".join(lines) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--short", action="store_true")
    arguments.add_argument("--only", help="TRANSFORM,SIZE (clip for flac-to-wav)")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=16)
    arguments.add_argument("--objects", type=int, default=0, help="instead of the number that goes with the size")
    arguments.add_argument("--out", default=".")
    options = arguments.parse_args()
    cells = SHORT if options.short else [(t, s) for t in COMMANDS if t != "flac-to-wav" for s in SIZES] + [("flac-to-wav", "clip")]
    if options.only:
        cells = [tuple(options.only.split(","))]
    missing = [tool for tool in ("parallel", "xargs") if shutil.which(tool) is None]
    contenders = ["millrace", *(c for c in ("xargs", "parallel", "python_client") if c not in missing)]
    if shutil.which("ffmpeg") is None:
        cells = [cell for cell in cells if cell[0] != "flac-to-wav"]
        missing.append("ffmpeg")
    rows = {}
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as work:
        if shutil.which("chattr"):
            subprocess.run(["chattr", "+T", work], check=False, stderr=subprocess.DEVNULL)  # ext4: folders far from each other
        bench = Bench(options.binary, pathlib.Path(work), options.threads)
        try:
            for transform in {transform for transform, _ in cells if COMMANDS[transform]}:
                bench.cluster.add_transform({"name": f"bench-{transform}", "cmd": COMMANDS[transform], "obj_timeout": "10m"})
            for transform, size in cells:
                folder = pathlib.Path(tempfile.mkdtemp(dir=work))
                if size == "clip":
                    make_clips(folder, options.objects or (50 if options.short else 2000))
                else:
                    bytes_each, count = SIZES[size]
                    count = options.objects or (min(count, 2_000, SHORT_BYTES_MAX // bytes_each) if options.short else count)
                    make_objects(folder, bytes_each, count if COMMANDS[transform] is None else min(count, FILTER_OBJECTS_MAX // (4 if options.short else 1)))
                bucket = f"{transform}-{size.lower()}"
                bench.load(bucket, folder)
                rows[f"{transform}/{size}"] = measure_row(bench, transform, contenders, options.rounds)
                print(json.dumps({f"{transform}/{size}": {c: round(f["objects_per_second"]) for c, f in rows[f"{transform}/{size}"].items()}}), flush=True)
                bench.remove_outputs()
                shutil.rmtree(folder)
                subprocess.run([bench.binary, "bucket", "rm", f"ais://{bucket}"], env=bench.environment(), check=True, stdout=subprocess.DEVNULL)
        finally:
            bench.close()
    out = pathlib.Path(options.out)
    (out / "comparison.json").write_text(json.dumps(rows, indent=1) + "\n")
    (out / "comparison.md").write_text(table(rows, missing))
    print(table(rows, missing))


if __name__ == "__main__":
    main()

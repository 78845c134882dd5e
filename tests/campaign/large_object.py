"""One very large object through put, a filter job and get, with the peak memory of every process.

    python3 tests/campaign/large_object.py build/release/millrace --gib 5
"""
import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402


def write_file(path, size):
    digest = hashlib.sha256()
    block = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for index in range(size >> 20):
            part = index.to_bytes(8, "big") + block[8:]
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Watch(threading.Thread):
    """Peak resident memory of a process that is not ours to ask at its end."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak = pid, 0
        self.start()

    def run(self):
        pause = threading.Event()
        while True:
            try:
                for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.peak = max(self.peak, int(line.split()[1]) * 1024)
            except OSError:
                return
            pause.wait(0.05)


def command(cluster, *arguments):
    env = {**os.environ, "MILLRACE_ENDPOINT": f"http://{cluster.proxy.endpoint()}"}
    begun = time.monotonic()
    process = subprocess.Popen([cluster.binary, *arguments], env=env)
    watch = Watch(process.pid)
    assert process.wait(3600) == 0, arguments
    return watch.peak, time.monotonic() - begun


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--gib", type=float, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, rig.Cluster(options.binary) as cluster:
        source, result = f"{folder}/source", f"{folder}/result"
        digest = write_file(source, int(options.gib * (1 << 30)))
        cluster.create_bucket("src")
        put_peak, put_seconds = command(cluster, "put", source, "ais://src/large.bin")
        os.unlink(source)
        cluster.add_filter("identity", "cat", obj_timeout="1h")
        begun = time.monotonic()
        document = cluster.wait_job(cluster.submit("identity", "src", "dst"), seconds=3600)
        job_seconds = time.monotonic() - begun
        get_peak, get_seconds = command(cluster, "get", "ais://dst/large.bin", "-o", result)
        same = digest_of(result) == digest
        peaks = {node.name: node.resident_bytes(peak=True) for node in cluster.nodes} | {"put": put_peak, "get": get_peak}
        print(json.dumps({"state": document["state"], "same_bytes": same, "peak_mib": {k: round(v / 2**20) for k, v in peaks.items()},
                          "seconds": {"put": round(put_seconds), "job": round(job_seconds), "get": round(get_seconds)}}, indent=1))
        return 0 if same and document["state"] == "completed" and max(peaks.values()) < 256 << 20 else 1


if __name__ == "__main__":
    sys.exit(main())

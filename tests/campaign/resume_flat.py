"""Whether resuming costs the same early and late in a job: kills every target at some shares of it, starts them again, and
takes the checkpoint's size and the time from start to the first newly settled object.

    python3 tests/campaign/resume_flat.py build/release/millrace --objects 1000000
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402


def make_files(folder, count):
    for index in range(count):
        part = pathlib.Path(folder, f"{index // 10000:04d}")
        if index % 10000 == 0:
            part.mkdir()
        (part / f"{index:07d}").write_bytes(b"n%d" % index)  # a bare number would be a command to the server


def settled(cluster, job):
    return cluster.job(job)["objects"]["done"]


def resume(cluster, job):
    """Kills all targets and starts them again: the figures of the slowest."""
    sizes = [s["checkpoint_bytes"] for s in cluster.job(job)["slices"]]
    for target in cluster.targets:
        target.kill()
    before = settled(cluster, job)  # now that nobody can add to it: else a last report before the kill would pass for progress
    begun = time.monotonic()
    for target in cluster.targets:
        target.start()
    rig.wait_for("targets to be up", lambda: all(t.endpoint() for t in cluster.targets), 60)
    started = time.monotonic() - begun
    rig.wait_for("the first object after the restart", lambda: settled(cluster, job) > before, 120)
    seconds = time.monotonic() - begun
    return {"settled": before, "checkpoint_bytes": sizes, "seconds_to_listen": round(started, 2), "seconds_to_first_settled": round(seconds, 2)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--objects", type=int, default=1_000_000)
    options = arguments.parse_args()
    server = pathlib.Path(__file__).resolve().parent.parent / "support/echo_server.py"
    with tempfile.TemporaryDirectory() as folder, rig.Cluster(options.binary) as cluster:
        cluster.create_bucket("src")
        make_files(folder, options.objects)
        begun = time.monotonic()
        subprocess.run([options.binary, "--endpoint", f"http://{cluster.proxy.endpoint()}", "put", folder, "ais://src"], check=True, stderr=subprocess.DEVNULL)
        load_seconds = time.monotonic() - begun
        cluster.add_transform({"name": "echo-server", "command": ["python3", str(server)], "init_timeout": "30s"})
        begun = time.monotonic()
        job = cluster.submit("echo-server", "src", "dst")
        figures = []
        for share in (0.1, 0.5, 0.9):
            rig.wait_for(f"{share:.0%} of the job", lambda: settled(cluster, job) >= share * options.objects, 1800)
            figures.append(resume(cluster, job))
        document = cluster.wait_job(job, seconds=1800)
        print(json.dumps({"objects": document["objects"], "state": document["state"], "load_seconds": round(load_seconds),
            "job_seconds": round(time.monotonic() - begun),
                          "resumes": figures, "peak_mib": {n.name: round(n.resident_bytes(peak=True) / 2**20) for n in cluster.nodes}}, indent=1))
        return 0 if document["state"] == "completed" and document["objects"]["done"] == options.objects else 1


if __name__ == "__main__":
    sys.exit(main())

"""What loading a filter's program once is worth: the same jobs on a target that forks and on one that spawns, in turns.

    python3 tests/campaign/forked_filters.py build/release/millrace --objects 200 --rounds 3 --filter 'gzip -n -1'

Prints for each filter objects per second either way, and the median of the ratios. FLAC clips of ten seconds are made with
ffmpeg; the outputs of both are compared.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402

CLIP = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=10:c=pink:r=16000:a=0.5:seed=7", "-c:a", "flac", "-f", "flac", "pipe:1"]
FILTERS = ["ffmpeg -v error -i pipe:0 -f wav pipe:1", "cat"]


def fill(cluster, clip, objects):
    cluster.create_bucket("clips")
    for number in range(objects):
        cluster.put("clips", f"clip-{number:06}.flac", clip)


def start_of(cluster, name):
    return cluster.get(f"/v1/transforms/{name}")["targets"][0]["start"]


def rate(cluster, name, destination, objects):
    begun = time.monotonic()
    job = cluster.wait_job(cluster.submit(name, "clips", destination), seconds=600)
    if job["state"] != "completed":
        raise SystemExit(f"{name}: {job}")
    return objects / (time.monotonic() - begun)


def compare(forking, spawning, number, command, options):
    name = f"filter-{number}"
    for cluster in (forking, spawning):
        cluster.add_filter(name, command, obj_timeout="60s")
    try:
        rig.wait_for("the trial", lambda: start_of(forking, name) == "forked", 20.0)
    except rig.Failed:
        return {"filter": command, "start": start_of(forking, name)}
    rates = []
    for turn in range(options.rounds):
        rates.append([rate(cluster, name, f"{name}-{turn}", options.objects) for cluster in (forking, spawning)])
    outputs = [cluster.read(f"{name}-0", "clip-000000.flac") for cluster in (forking, spawning)]
    if outputs[0] != outputs[1]:
        raise SystemExit(f"{command}: the outputs differ")
    return {"filter": command, "start": "forked", "forked_per_second": round(statistics.median(r[0] for r in rates), 1),
            "spawned_per_second": round(statistics.median(r[1] for r in rates), 1),
            "ratio": round(statistics.median(r[0] / r[1] for r in rates), 2), "ratios": [round(r[0] / r[1], 2) for r in rates]}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--objects", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--filter", action="append", help=f"instead of: {', '.join(FILTERS)}")
    options = arguments.parse_args()
    clip = subprocess.run(CLIP, stdout=subprocess.PIPE, check=True).stdout
    with rig.Cluster(options.binary, targets=1) as forking, \
            rig.Cluster(options.binary, targets=1, target_settings={"fork_server": "false"}) as spawning:
        for cluster in (forking, spawning):
            fill(cluster, clip, options.objects)
        for number, command in enumerate(options.filter or FILTERS):
            print(json.dumps(compare(forking, spawning, number, command, options)), flush=True)


if __name__ == "__main__":
    main()

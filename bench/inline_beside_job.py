"""What a job and inline GETs cost each other on one node: the latency of inline GETs at a fixed rate, alone and beside a job that
saturates the node, and the job's rate, alone and beside them.

    python3 bench/inline_beside_job.py build/release/millrace --transform cpp --rate 100

Transforms: servers that echo, in C++ and in Python, and a filter (gzip -1). Objects of 16 KiB. Interleaved rounds, medians; open loop, so that what waits
counts.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

TREE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests/support"))
import cluster as rig  # noqa: E402

ATTEMPTS = "millrace_attempts_total"


def specification(options):
    if options.transform == "filter":
        return {"cmd": "gzip -1"}
    if options.transform == "python":
        return {"command": ["python3", str(TREE / "tests/support/echo_server.py")], "init_timeout": "30s", "env": {"ECHO_DEAF": "1"}}
    return {"command": [str(pathlib.Path(options.binary).resolve().parent / "bench/echo_server")]}


def bench(options, cluster, *arguments):
    # Clients are on other machines: this one must not wait for a core that the job has.
    done = subprocess.run(["nice", "-n", "-15", options.binary, "--endpoint", f"http://{cluster.proxy.endpoint()}", "bench", *arguments, "-o", "json"],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def inline(options, cluster):
    return bench(options, cluster, "inline", "ais://src", "--etl", "transform", "--rate", str(options.rate), "--duration", f"{options.seconds}s")


def job_rate_during(cluster, work):
    """Objects per second that the job does meanwhile, and what the work returns."""
    before, begun = cluster.metric(ATTEMPTS), time.monotonic()
    result = work()
    return (cluster.metric(ATTEMPTS) - before) / (time.monotonic() - begun), result


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--transform", choices=["filter", "python", "cpp"], default="cpp")
    arguments.add_argument("--rate", type=int, default=100)
    arguments.add_argument("--seconds", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    figures = {"inline alone p50": [], "inline alone p99": [], "inline beside p50": [], "inline beside p99": [], "job alone": [], "job beside": []}
    with rig.Cluster(options.binary, targets=1) as cluster:
        bench(options, cluster, "put", "ais://src", "--size", "16KiB", "--count", "2000")
        bench(options, cluster, "put", "ais://many", "--size", "16KiB", "--count", "200000")
        cluster.add_transform({"name": "transform", **specification(options)})
        for number in range(options.rounds):
            latency = inline(options, cluster)["latency_ms"]
            figures["inline alone p50"].append(latency["p50"])
            figures["inline alone p99"].append(latency["p99"])
            job = cluster.submit("transform", "many", f"out{number}")
            time.sleep(2)  # until it has found its concurrency
            rate, _ = job_rate_during(cluster, lambda: time.sleep(options.seconds))
            figures["job alone"].append(rate)
            rate, document = job_rate_during(cluster, lambda: inline(options, cluster))
            latency = document["latency_ms"]
            figures["job beside"].append(rate)
            assert cluster.job(job)["state"] == "running", "the job was over too early; give it more objects"
            figures["inline beside p50"].append(latency["p50"])
            figures["inline beside p99"].append(latency["p99"])
            cluster.command(job, "cancel")
            rig.wait_for("the slice to stop", lambda j=job: cluster.job(j)["slices"][0]["state"] == "stopped")
    middle = {name: statistics.median(values) for name, values in figures.items()}
    print(json.dumps({"transform": options.transform, "rate": options.rate, "figures": {n: [round(v, 2) for v in values] for n, values in figures.items()},
                      "p99_beside_over_alone": round(middle["inline beside p99"] / middle["inline alone p99"], 2),
                      "job_beside_over_alone": round(middle["job beside"] / middle["job alone"], 2)}, indent=1))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Random requests, most of them broken, by somebody without a token, against a proxy and a target that ask for one.

usage: without_token.py [--seconds N] [--seed N]    (MILLRACE_BINARY names the executable)

Ends with status 1 when a node dies, a request is let in, a file of the store changes, or memory or descriptors grow.
"""
import argparse
import base64
import hashlib
import os
import pathlib
import random
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY  # noqa: E402
from tokens import Keys, guarded_cluster  # noqa: E402

METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "get", "", "X" * 300]
PATHS = ["/v1/jobs", "/v1/jobs/job-1/cancel", "/v1/transforms", "/v1/buckets/photos", "/v1/objects/photos/a", "/v1/objects/photos/..%2fa", "/v1/etl",
         "/v1/cluster", "/v1/daemon?what=config", "/v1/worker/sync", "/v1/worker/objects?bucket=photos", "/v1/tokens/revoked", "/v1/cluster/join",
         "/v1/cluster/invitations", "/v1/cluster/nodes/t1/revoke", "/metrics", "/health", "/v1/etl/_object/x/y/z", "//", "*", "/%00", "/" + "a/" * 400]
HEADERS = ["Authorization: Bearer ", "Millrace-Node: t1 9999999999 ", "Millrace-Job: job-1\r\nMillrace-Slice: t1\r\nMillrace-Fence: 99", "Expect: 100-continue",
           "Content-Length: 10", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked", "Content-Type: application/json", "Range: bytes=-1",
           "Host: localhost", "Host: evil.example", "Origin: null", "Connection: close", "X: " + "y" * 9000, "\x00: \x01", ":", "Upgrade: websocket"]


def some_bytes(dice):
    return bytes(dice.randrange(256) for _ in range(dice.randrange(80)))


def some_token(dice):
    part = base64.urlsafe_b64encode(b'{"alg":"EdDSA","sub":"a","jti":"t","iat":1,"exp":9999999999,"grants":["admin"]}').decode().rstrip("=")
    return ".".join(dice.choice([part, "", "e30", base64.urlsafe_b64encode(some_bytes(dice)).decode()]) for _ in range(dice.randrange(1, 5)))


def some_request(dice):
    lines = [f"{dice.choice(METHODS)} {dice.choice(PATHS)} HTTP/1.{dice.choice('0117')}"]
    for header in dice.sample(HEADERS, dice.randrange(6)):
        lines.append(header + some_token(dice) if header.endswith((" ", "Bearer ")) else header)
    if dice.random() < 0.8:
        lines.append("Host: localhost")
    request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + some_bytes(dice)
    if dice.random() < 0.3:
        place = dice.randrange(len(request))
        request = request[:place] + some_bytes(dice) + request[place + dice.randrange(20):]
    return request


def send(endpoint, request):
    """The first line of what came back."""
    host, port = endpoint.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.settimeout(0.5)
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(4096).split(b"\r\n")[0]
        except OSError:
            return b""


def state_of(nodes):
    """What a request that is let in would change."""
    sums = {}
    for node in nodes:
        for path in sorted(node.dir.rglob("*")):
            if path.is_file() and path.parent.name != "state" and path.name != "audit.log":
                sums[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return sums


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = arguments.parse_args()
    print(f"seed {options.seed}", flush=True)
    dice = random.Random(options.seed)
    keys = Keys(BINARY)
    cluster = guarded_cluster(BINARY, keys, targets=1)
    cluster.token = keys.issue("admin", subject="root", expires="7d")  # longer than this takes
    wrong = []
    with cluster:
        cluster.create_bucket("photos")
        cluster.put("photos", "a", b"x" * 100_000)
        for _ in range(2000):
            send(dice.choice(cluster.nodes).endpoint(), some_request(dice))
        before, resident = state_of(cluster.nodes), [node.resident_bytes() for node in cluster.nodes]
        files = [len(os.listdir(f"/proc/{node.process.pid}/fd")) for node in cluster.nodes]
        count, answers, end = 0, {}, time.monotonic() + options.seconds
        while time.monotonic() < end and not wrong:
            node, request = dice.choice(cluster.nodes), some_request(dice)
            answer = send(node.endpoint(), request)
            status = answer.split(b" ")[1:2]
            answers[status[0] if status else b"-"] = answers.get(status[0] if status else b"-", 0) + 1
            is_open = b"/health" in request or b"HTTP/1.1 100" in answer
            if status and status[0].startswith(b"2") and not is_open:
                wrong.append(f"{node.name} let in {request!r}: {answer!r}")
            if not node.alive():
                wrong.append(f"{node.name} died of {request!r}")
            count += 1
        if not wrong:
            grown = [after.resident_bytes() - was for after, was in zip(cluster.nodes, resident)]
            opened = [len(os.listdir(f"/proc/{node.process.pid}/fd")) - was for node, was in zip(cluster.nodes, files)]
            print(f"{count} requests, answers {dict(sorted(answers.items()))}, memory {grown} bytes more, descriptors {opened} more")
            if max(grown) > 32 << 20 or max(opened) > 20:
                wrong.append("memory or descriptors grow")
            if state_of(cluster.nodes) != before:
                wrong.append("files changed")
            if cluster.read("photos", "a") != b"x" * 100_000:
                wrong.append("the object changed")
    print("\n".join(wrong) or "nobody got in")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

"""Downloads URL into FILE with the package `requests` or `httpx`, and goes on where it broke off, the way RFC 9110 has it: with the entity tag
of what it has, and anew where the answer is not the rest of that.

    resume_client.py requests|httpx URL FILE
"""
import contextlib
import sys

TRIES_MAX = 5


@contextlib.contextmanager
def with_requests(url, headers):
    import requests
    with requests.get(url, headers=headers, stream=True, timeout=60) as reply:
        yield reply.status_code, reply.headers, reply.iter_content(1 << 16)


@contextlib.contextmanager
def with_httpx(url, headers):
    import httpx
    with httpx.stream("GET", url, headers=headers, timeout=60) as reply:
        yield reply.status_code, reply.headers, reply.iter_raw()


def errors_of(package):
    if package == "httpx":
        import httpx
        return httpx.TransportError
    import requests
    return requests.RequestException


def download(package, url):
    get = {"requests": with_requests, "httpx": with_httpx}[package]
    data, tag = b"", ""
    for _ in range(TRIES_MAX):
        headers = {"Accept-Encoding": "identity"}
        if data and tag:
            headers |= {"Range": f"bytes={len(data)}-", "If-Range": tag}
        with contextlib.suppress(errors_of(package)), get(url, headers) as (status, answer, chunks):
            if status == 206 and answer["Content-Range"].startswith(f"bytes {len(data)}-"):
                wanted = len(data) + int(answer["Content-Length"])
            elif status == 200:
                data, wanted = b"", int(answer.get("Content-Length", -1))
            else:
                sys.exit(f"status {status}")
            tag = answer.get("ETag", "")
            for chunk in chunks:
                data += chunk
            if wanted in (len(data), -1):
                return data
    sys.exit("it broke off too often")


if __name__ == "__main__":
    with open(sys.argv[3], "wb") as file:
        file.write(download(sys.argv[1], sys.argv[2]))

"""Transform servers on the AIStore SDK's three web frameworks, started the way its samples are; runs in a test image.

usage: serve.py [--server fastapi|flask|http] [--transform echo|md5|hash] [--workers N] [--port N] [--no-access-log]

echo gives the object back, md5 the hexadecimal MD5 of it, hash its XXH64 with the number in etl_args as the seed
(SEED_DEFAULT, or 0, without one). The environment TRANSFORM stands in for --transform, so that `uvicorn
serve:fastapi_app` and `gunicorn serve:flask_app` can be commands of a specification as well.
"""
import argparse
import hashlib
import os
import sys


def echo(data, _arguments):
    return data


def md5(data, _arguments):
    return hashlib.md5(data).hexdigest().encode()


def xxh64(data, arguments):
    import xxhash

    default = int(os.environ.get("SEED_DEFAULT", "0"))
    try:
        seed = int(arguments) if arguments else default
    except ValueError:
        seed = default
    return xxhash.xxh64(data, seed=seed).hexdigest().encode()


TRANSFORMS = {"echo": echo, "md5": md5, "hash": xxh64}


def server_on(framework):
    """An instance of a subclass of the framework, as a user would write it."""
    function = TRANSFORMS[os.environ.get("TRANSFORM", "echo")]

    class Server(framework):
        def transform(self, data, _path, etl_args):
            # A path instead of bytes comes with ETL_DIRECT_FQN only.
            if isinstance(data, str):
                with open(data, "rb") as file:
                    data = file.read()
            return function(data, etl_args)

    return Server(port=int(os.environ.get("PORT", "8000")))


def __getattr__(name):
    """fastapi_app and flask_app, made when uvicorn or gunicorn asks: one framework is imported, not three."""
    if name == "fastapi_app":
        from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

        return server_on(FastAPIServer).app
    if name == "flask_app":
        from aistore.sdk.etl.webserver.flask_server import FlaskServer

        return server_on(FlaskServer).app
    raise AttributeError(name)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--server", choices=["fastapi", "flask", "http"], default="fastapi")
    options.add_argument("--transform", choices=sorted(TRANSFORMS), default=os.environ.get("TRANSFORM", "echo"))
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--port", type=int, default=8000)
    options.add_argument("--no-access-log", action="store_true", help="FastAPI only: the others have none, or always")
    chosen = options.parse_args()
    os.environ["TRANSFORM"] = chosen.transform
    os.environ["PORT"] = str(chosen.port)
    if chosen.server == "http":
        from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

        server_on(HTTPMultiThreadedServer).start()
        return
    if chosen.server == "fastapi":
        command = ["uvicorn", "serve:fastapi_app", "--host", "0.0.0.0", "--port", str(chosen.port), "--workers", str(chosen.workers),
                   "--log-level", "info", "--ws-max-size", "17179869184", "--ws-ping-interval", "0", "--ws-ping-timeout", "86400"]
        if chosen.no_access_log:
            command.append("--no-access-log")
    else:
        command = ["gunicorn", "serve:flask_app", "--bind", f"0.0.0.0:{chosen.port}", "--workers", str(chosen.workers)]
    os.execv(sys.executable, [sys.executable, "-m", *command])


if __name__ == "__main__":
    main()

"""What AIStore's `runtime_python` images do: serve the class that the SDK's init_class sent. Runs in a test image.

ETL_CLASS_PAYLOAD is the pickled class, PACKAGES what pip is to install before it is loaded, NUM_WORKERS how many processes
serve it. Started as a program this installs and then becomes the server; the server's processes import `app` from it.
"""
import base64
import os
import pickle
import subprocess
import sys


def load():
    return pickle.loads(base64.b64decode(os.environ["ETL_CLASS_PAYLOAD"]))()


def __getattr__(name):
    if name == "app":
        return load().app
    raise AttributeError(name)


def main():
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
    from aistore.sdk.etl.webserver.flask_server import FlaskServer

    packages = [word.strip() for word in os.environ.get("PACKAGES", "").split(",") if word.strip()]
    if packages:
        subprocess.run([sys.executable, "-m", "pip", "install", "--no-cache-dir", *packages], check=True)
    workers = os.environ.get("NUM_WORKERS", "6")
    made = load()
    if isinstance(made, FastAPIServer):
        os.execvp("uvicorn", ["uvicorn", "runtime_python:app", "--host", "0.0.0.0", "--port", "8000", "--workers", workers,
                              "--ws-ping-interval", "0", "--no-access-log"])
    if isinstance(made, FlaskServer):
        os.execvp("gunicorn", ["gunicorn", "runtime_python:app", "--bind", "0.0.0.0:8000", "--workers", workers])
    made.start()


if __name__ == "__main__":
    main()

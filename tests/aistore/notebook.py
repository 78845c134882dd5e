"""What somebody would write in a notebook: classes turned into transforms, used at once and in a job.

usage: AIS_ENDPOINT=http://… notebook.py SOURCE DESTINATION [PACKAGE]

Without PACKAGE the class needs nothing but Python; with it (Unidecode) it has a dependency, which is installed where the
transform starts. Prints how many workers the SDK's default gives the transform, the object `first` as the transform gives it, and
how the job went.
"""
import os
import sys

from aistore.sdk import Client
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer

source_name, destination_name, *packages = sys.argv[1:]
client = Client(os.environ["AIS_ENDPOINT"])
source, destination = client.bucket(source_name), client.bucket(destination_name)
greeting = "hello"


def workers():
    """How many processes the server's master has that work, which are this one and its siblings."""
    def parent_of(process):
        with open(f"/proc/{process}/stat", encoding="latin-1") as file:
            return int(file.read().rpartition(")")[2].split()[1])

    def is_worker(process):
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return parent_of(process) == os.getppid() and b"resource_tracker" not in file.read()

    return b"%d" % sum(is_worker(name) for name in os.listdir("/proc") if name.isdigit())


if packages:
    etl = client.etl("notebook-ascii")

    @etl.init_class(dependencies=packages)
    class Ascii(FastAPIServer):
        def transform(self, data, _path, etl_args):
            if etl_args == "workers":
                return workers()
            from unidecode import unidecode

            return unidecode(data.decode()).encode()
else:
    etl = client.etl("notebook-greeting")

    @etl.init_class(comm_type="hpull", WHO="world")
    class Greeting(FlaskServer):
        def transform(self, data, _path, etl_args):
            if etl_args == "workers":
                return workers()
            return f"{greeting} {os.environ['WHO']} {etl_args or ''}|".encode() + data.upper()

print("workers", source.object("first").get_reader(etl=ETLConfig(etl, args="workers")).read_all().decode())
print(source.object("first").get_reader(etl=ETLConfig(etl, args="and all")).read_all().decode(), end="")
job = client.job(source.transform(etl.name, destination, prepend="made/"))
result = job.wait(timeout=120, verbose=False)
print("job", result.success, len(destination.list_all_objects()))

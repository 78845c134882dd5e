"""What somebody would write in a notebook: classes turned into transforms, used at once and in a job.

usage: AIS_ENDPOINT=http://… notebook.py SOURCE DESTINATION [PACKAGE]

Without PACKAGE the class needs nothing but Python; with it (Unidecode) it has a dependency, which is installed where the
transform starts. Prints the object `first` as the transform gives it, and how the job went.
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

if packages:
    etl = client.etl("notebook-ascii")

    @etl.init_class(dependencies=packages, NUM_WORKERS=1)
    class Ascii(FastAPIServer):
        def transform(self, data, *_args):
            from unidecode import unidecode

            return unidecode(data.decode()).encode()
else:
    etl = client.etl("notebook-greeting")

    @etl.init_class(comm_type="hpull", NUM_WORKERS=1, WHO="world")
    class Greeting(FlaskServer):
        def transform(self, data, _path, etl_args):
            return f"{greeting} {os.environ['WHO']} {etl_args or ''}|".encode() + data.upper()

print(source.object("first").get_reader(etl=ETLConfig(etl, args="and all")).read_all().decode(), end="")
job = client.job(source.transform(etl.name, destination, prepend="made/"))
result = job.wait(timeout=120, verbose=False)
print("job", result.success, len(destination.list_all_objects()))

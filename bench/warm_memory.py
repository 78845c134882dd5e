"""What measurements on virtual machines do first."""
import pathlib
import re
import subprocess
import sys


def warm(size):
    """Lets the machine have this much memory at hand: on a virtual one the first touch of a page may cost more than the work."""
    available = 1024 * int(re.search(r"MemAvailable:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])
    subprocess.run([sys.executable, "-c", f"bytearray(b'1') * {min(size, available // 2)}"], check=True)

"""Starting the app: one line with the address, or one line with what is wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from harness import APP, ROOT, Server

from annotate_select.project import Project


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(APP / "launch.py"), "--no-browser", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = launch("--port", str(port))
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"error: cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port")


def test_a_folder_without_a_project_is_one_line(tmp_path: Path) -> None:
    ended = launch("--project", str(tmp_path))
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"error: there is no project in {tmp_path}")


def test_it_says_where_it_is_and_answers_only_to_its_own_names(server: Server, project: Project) -> None:
    server.start(project.root)
    [line] = server.log.read_text().splitlines()
    assert line == f"annotate-select is at {server.url}/?project={project.id} (stop it with Ctrl-C)"
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        with pytest.raises(urllib.error.HTTPError, match=r"HTTP Error 40[03]") as caught:
            urllib.request.urlopen(urllib.request.Request(f"{server.url}/api/ping", headers=headers), timeout=30)
        caught.value.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has heaps to be kept few")
def test_its_threads_share_a_few_heaps() -> None:
    """Many threads that hold memory at once: glibc would make a heap for each."""
    script = (
        "import ctypes, os, sys, threading, time\n"
        "from heaps import HEAPS, few_heaps\n"
        "few_heaps()\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.fdopen.restype = ctypes.c_void_p\n"
        "held = threading.Barrier(9)\n"
        "hold = lambda: (bytearray(10_000), held.wait(), held.wait())\n"
        "threads = [threading.Thread(target=hold) for _ in range(8)]\n"
        "[one.start() for one in threads]\n"
        "held.wait()\n"
        "file = ctypes.c_void_p(libc.fdopen(1, b'w'))\n"
        "libc.malloc_info(0, file), libc.fflush(file)\n"
        "held.wait()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=APP, capture_output=True, text=True, timeout=60, check=True
    )
    assert 1 <= told.stdout.count("<heap nr=") <= 2

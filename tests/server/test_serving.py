"""A server of its own: how it starts, logs and stops, and the commands that start it."""

import asyncio
import http.client
import json
import logging
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vaekit.cli import main
from vaekit.cli.serve import _listen
from vaekit.server import Host, Settings, create_app
from vaekit.server.logs import JsonLines
from vaekit.server.serving import Server


@pytest.fixture
def server(folder):
    """A server that listens, and its port."""
    addresses, up = [], threading.Event()
    settings = Settings(port=0)
    app = create_app(Host.open([folder / "digits"], "cpu"), settings)
    server = Server(app, settings, lambda address: (addresses.append(address), up.set()))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert up.wait(60)
    yield server, int(addresses[0].rpartition(":")[2]), thread
    server.should_exit = True
    thread.join(60)


def ask(port: int, path: str = "/decode", body: str = '{"z": [[0, 0]]}') -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    return connection.getresponse().status


def test_requests_end_before_the_server_does(server):
    started, port, thread = server
    worker = started.config.app.state.worker
    begun, end, statuses = threading.Event(), threading.Event(), []

    def hold() -> None:
        begun.set()
        assert end.wait(60)

    assert ask(port) == 200
    threading.Thread(target=lambda: asyncio.run(worker.run(hold))).start()
    assert begun.wait(60)
    asking = threading.Thread(target=lambda: statuses.append(ask(port)))
    asking.start()
    while not worker.waiting and asking.is_alive():
        time.sleep(0.001)
    started.should_exit = True
    end.set()
    asking.join(60)
    thread.join(60)
    assert statuses == [200]
    assert not worker.alive
    with pytest.raises(ConnectionRefusedError):
        ask(port)


def test_logs_are_lines_of_json_that_do_not_tell_the_query(client, caplog):
    with caplog.at_level(logging.INFO, "vaekit.server.access"):
        client.get("/info?run=told&token=secret")
        client.get("/app.js")  # the page's own files are not worth a line
    (record,) = caplog.records
    line = JsonLines().format(record)
    content = json.loads(line)
    assert "\n" not in line
    assert "secret" not in line
    assert (content["method"], content["path"], content["status"]) == ("GET", "/info", 200)
    assert content["ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", content["time"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("serve {runs}/digits --host 0.0.0.0", "give it a token"),
        ("serve {runs}/nothing", "no such folder"),
        ("serve {runs}/digits --token short", "at least 16 characters"),
        ("explore {runs}/people.csv", "no such folder"),
        ("serve {runs}/digits --port 99999", "port"),
    ],
)
def test_what_cannot_be_served_is_said(folder, line, words, capsys, monkeypatch):
    monkeypatch.delenv("VAEKIT_TOKEN", raising=False)
    assert main(shlex.split(line.format(runs=folder))) == 2
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["explore", str(folder / "digits"), "--port", str(port)]) == 2
    assert f"cannot listen at 127.0.0.1, port {port}: address already in use" in capsys.readouterr().err


def test_answers_are_not_held_back_for_an_acknowledgement():
    with _listen("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_wrong_paths_are_said_before_torch_is_imported():
    program = "import sys; from vaekit.cli import main; sys.exit(main(sys.argv[1:]) != 2 or 'torch' in sys.modules)"
    for command in ("serve /nope", "export-page /nope page.html", "evaluate /nope"):
        subprocess.run([sys.executable, "-c", program, *command.split()], check=True, stderr=subprocess.DEVNULL)


def test_missing_packages_are_named(folder, monkeypatch, capsys):
    monkeypatch.setattr("vaekit.cli.serve.find_spec", lambda name: None if name == "fastapi" else object())
    assert main(["serve", str(folder / "digits")]) == 2
    assert "the server needs fastapi: pip install 'vaekit[serve]'" in capsys.readouterr().err


def test_commands_start_a_server_and_open_the_page(folder, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(Server, "run", lambda self, sockets: self.ready("http://127.0.0.1:1"))
    assert main(["explore", str(folder)]) == 0
    assert opened == ["http://127.0.0.1:1"]
    assert "digits, people, told at http://127.0.0.1:1" in capsys.readouterr().out
    token = "0123456789abcdef"
    assert main(["serve", str(folder / "digits"), "--host", "0.0.0.0", "--port", "0", "--token", token]) == 0
    assert f"/?token={token}" in capsys.readouterr().out
    assert len(opened) == 1


def test_the_container_runs_a_command_that_there_is():
    from vaekit.cli.app import application

    text = (Path(__file__).parents[2] / "Dockerfile").read_text()
    command = json.loads(re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)[1])
    assert json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)[1]) == ["vaekit"]
    _, bound, _ = application().parse_args(command, exit_on_error=False, print_error=False)
    assert bound.arguments["host"] == "0.0.0.0"

"""Who may use the server: hosts, origins, tokens, headers; how much: bytes, requests a second, time."""

import asyncio
import json

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from vaekit.server import Host, Settings, create_app
from vaekit.server.limits import MOST_CLIENTS, Limits, Rate
from vaekit.server.settings import Settings as Limited

TOKEN = "a-token-of-enough-characters"


@pytest.fixture(scope="module")
def host(folder) -> Host:
    return Host.open([folder / "digits"], "cpu")


def client(runs: Host, base_url: str = "http://127.0.0.1:8000", /, **choices) -> TestClient:
    return TestClient(create_app(runs, Settings(**choices)), base_url=base_url, follow_redirects=False)


@pytest.fixture(scope="module")
def plain(host):
    with client(host) as started:
        yield started


@pytest.fixture(scope="module")
def guarded(host):
    with client(host, "http://models.example:8000", host="0.0.0.0", token=TOKEN) as started:
        yield started


# ---------------------------------------------------------------------------------------------------------------------
# Hosts and origins


@pytest.mark.parametrize("name", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "10.1.2.3:8000"])
def test_own_names_and_addresses_are_answered(plain, name):
    assert plain.get("/healthz", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.example", "[::1", ""])
def test_names_that_were_made_to_point_here_are_not(plain, name):
    answer = plain.get("/info", headers={"Host": name})
    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["error"]


def test_further_names_can_be_allowed(host):
    with client(host, "http://models.local", hosts=("models.local",)) as other:
        assert other.get("/healthz").status_code == 200


STRANGERS = ("http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8000", "http://[")


@pytest.mark.parametrize("origin", STRANGERS)
def test_pages_of_other_sites_change_nothing_and_see_nothing(plain, origin):
    answer = plain.post("/decode", json={"z": [[0, 0]]}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "--allow-origin" in answer.json()["error"]
    assert "access-control-allow-origin" not in answer.headers
    with pytest.raises(WebSocketDisconnect), plain.websocket_connect("/live", headers={"Origin": origin}):
        pass


def test_the_own_page_may(plain):
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert plain.post("/decode", json={"z": [[0, 0]]}, headers=own).status_code == 200
    with plain.websocket_connect("/live", headers={**own, "Host": "127.0.0.1:8000"}) as socket:
        socket.send_text(json.dumps({"id": 7, "z": [0, 0]}))
        assert socket.receive_bytes()[:4] == (7).to_bytes(4, "little")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_and_frames_of_other_sites_are_refused_but_links_are_followed(plain, site):
    assert plain.get("/info", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
    assert plain.get("/", headers=followed).status_code == 200
    assert plain.post("/sample", headers=followed).status_code == 403


def test_sites_can_be_allowed(host):
    site = "https://notebook.example"
    with client(host, origins=(site,)) as other:
        asked = {"Origin": site, "Sec-Fetch-Site": "cross-site"}
        answer = other.post("/decode", json={"z": [[0, 0]]}, headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == site
        preflight = {"Origin": site, "Access-Control-Request-Method": "POST"}
        assert other.options("/decode", headers=preflight).headers["access-control-allow-origin"] == site
        preflight["Origin"] = "http://evil.example"
        assert "access-control-allow-origin" not in other.options("/decode", headers=preflight).headers


def test_every_answer_tells_browsers_to_trust_this_server_alone(plain):
    for path in ("/", "/docs", "/info", "/nothing", "/metrics"):
        headers = plain.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert plain.get("/info").headers["cache-control"] == "no-store"


def test_files_outside_the_page_are_not_given(plain):
    for path in ("/../app.py", "/..%2fapp.py", "/%2e%2e/app.py", "/lib/../../app.py", "//etc/passwd", "/lib/"):
        assert plain.get(path).status_code == 404, path


# ---------------------------------------------------------------------------------------------------------------------
# Tokens


def test_without_the_token_nothing_is_answered(guarded):
    for path in ("/", "/info", "/style.css", "/openapi.json", "/metrics", "/nothing"):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert guarded.get("/healthz").status_code == 200
    with pytest.raises(WebSocketDisconnect), guarded.websocket_connect("/live"):
        pass
    for header in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ünï"):
        assert guarded.get("/info", headers={"Authorization": header.encode()}).status_code == 401
    assert guarded.get(f"/info?token={TOKEN}x").status_code == 401
    assert guarded.post(f"/sample?token={TOKEN}").status_code == 401


def test_programs_show_it_in_a_header(guarded):
    assert guarded.get("/info", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_browsers_get_a_cookie_that_does_not_tell_the_token(guarded):
    first = guarded.get(f"/docs?run=digits&token={TOKEN}")
    assert first.status_code == 303
    assert first.headers["location"] == "/docs?run=digits"
    cookie = first.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert guarded.get("/info").status_code == 200
    shown = {"Host": "models.example:8000", "Cookie": cookie.partition(";")[0]}
    with guarded.websocket_connect("/live", headers=shown) as socket:
        socket.send_text('{"id": 1, "z": [0, 0]}')
        socket.receive_bytes()
    guarded.cookies.clear()
    elsewhere = guarded.get(f"http://models.example:8000//evil.example?token={TOKEN}")
    assert elsewhere.headers["location"] == "/evil.example"
    guarded.cookies.clear()
    others = {"Cookie": f'theme={{"dark": [1]}}; {cookie.partition(";")[0]}; last=1'}
    assert guarded.get("/info", headers=others).status_code == 200  # whatever other programs of the host keep there
    name = cookie.partition("=")[0]
    assert guarded.get("/info", headers={"Cookie": f"{name}={TOKEN}"}).status_code == 401


def test_settings_that_would_be_open_to_all_are_refused():
    with pytest.raises(ValueError, match="give it a token"):
        Settings(host="0.0.0.0")
    with pytest.raises(ValueError, match="at least 16 characters"):
        Settings(token="short")
    with pytest.raises(ValueError, match="positive rate"):
        Settings(rate=0)


# ---------------------------------------------------------------------------------------------------------------------
# Limits


def test_bodies_are_limited_however_they_come(host):
    with client(host, body=1000) as small:
        declared = small.post("/decode", content=b" " * 1001, headers={"Content-Type": "application/json"})
        streamed = small.post(
            "/decode", content=(b" " * 300 for _ in range(5)), headers={"Content-Type": "application/json"}
        )
        own = small.post("/page/decode", content=(b" " * 300 for _ in range(5)))
    for answer in (declared, streamed, own):
        assert answer.status_code == 413
        assert "MiB" in answer.json()["error"]


def test_buckets_fill_by_rate_and_forget_old_clients():
    rate = Rate(2, 3)
    assert [rate.wait("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert rate.wait("b", 0.0) == 0
    assert rate.wait("a", 0.5) == 0
    assert rate.wait("a", 0.75) == 0.25
    assert [rate.wait("a", 100.0) for _ in range(4)] == [0, 0, 0, 0.5]
    for number in range(2 * MOST_CLIENTS):
        rate.wait(str(number), 100.0)
    assert len(rate._buckets) == MOST_CLIENTS


def test_too_many_requests_are_refused(host):
    with client(host, rate=0.001, burst=2) as slow:
        assert [slow.get("/healthz").status_code for _ in range(3)] == [200, 200, 429]
        answer = slow.get("/healthz")
    assert int(answer.headers["retry-after"]) >= 1
    assert "requests a second" in answer.json()["error"]


def exchange(app, receive, **choices) -> list[dict]:
    """What an app within limits answers to one request."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": ("here", 1)}
    asyncio.run(Limits(app, Limited(**choices))(scope, receive, send))
    return sent


def test_what_takes_too_long_is_ended():
    cancelled = []

    async def slow(scope, receive, send):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def receive():
        return {"type": "http.request", "body": b""}

    sent = exchange(slow, receive, seconds=0.01)
    assert sent[0]["status"] == 504
    assert "longer than 0.01 seconds" in json.loads(sent[1]["body"])["error"]
    assert cancelled


def test_an_answer_that_has_begun_may_take_its_time():
    async def streaming(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"end"})

    async def receive():
        return {"type": "http.request", "body": b""}

    assert exchange(streaming, receive, seconds=0.01)[-1]["body"] == b"end"


def test_what_nobody_waits_for_any_more_is_cancelled():
    messages, cancelled = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}], []

    async def receive():
        return messages.pop(0)

    async def slow(scope, receive, send):
        assert await receive() == {"type": "http.request", "body": b""}
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    assert exchange(slow, receive) == []
    assert cancelled

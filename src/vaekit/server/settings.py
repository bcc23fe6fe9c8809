"""What a server allows, and to whom."""

from __future__ import annotations

from dataclasses import dataclass

LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """Where the server listens and its limits.

    ``token``: what a client must show, None for a server that only this machine reaches. ``hosts``: further names by
    which the server may be addressed; ``origins``: pages of other sites that may use it, such as
    ``https://example.org``. ``body``: bytes of a request; ``items``: examples of one request; ``samples``: importance
    samples of one; ``rate``: requests a second of one client, with bursts of ``burst``; ``seconds``: for one request;
    ``waiting``: requests that may wait for the model; ``message``: bytes of a message of the live connection.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    body: int = 32 * 2**20
    items: int = 10_000
    samples: int = 1_000
    rate: float = 1_000.0
    burst: int = 2_000
    seconds: float = 60.0
    waiting: int = 256
    message: int = 2**20

    def __post_init__(self) -> None:
        if self.token is None and self.host not in LOCAL:
            raise ValueError(
                f"a server at {self.host} can be reached from other machines: give it a token that clients must show"
            )
        if self.token is not None and len(self.token) < 16:
            raise ValueError(f"expected a token of at least 16 characters, got {len(self.token)}")
        for name in ("body", "items", "samples", "rate", "burst", "seconds", "waiting"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected a positive {name}, got {getattr(self, name)}")

"""The live connection: latents in, pixels out; of each connection the newest request wins."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from vaekit import tasks

from .depends import GivenHost, GivenWorker, chosen
from .encoding import decode
from .errors import sentence_of, unforeseen
from .hosting import Host
from .items import message
from .worker import BusyError, Worker

router = APIRouter()
MOST = 65_536  # characters of a request


class Ask(BaseModel):
    """What is asked: to decode z (D,), with a label if the model is conditional. ``id`` comes back with the answer."""

    model_config = ConfigDict(extra="forbid")

    id: int = Field(ge=0, lt=2**32)
    run: str | None = None
    kind: str = Field("decode", pattern="^decode$")
    z: list[FiniteFloat]
    label: str | None = None


@router.websocket("/live")
async def live(socket: WebSocket, host: GivenHost, worker: GivenWorker) -> None:
    """Answer requests until the other side goes.

    A request that is not begun when another comes is dropped without an answer, so nothing queues: what is shown is
    never older than one decoding.
    """
    await socket.accept()
    newest: asyncio.Queue[str] = asyncio.Queue(1)
    answering = asyncio.create_task(_answer(socket, newest, host, worker))
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while not answering.done():
            text = await socket.receive_text()
            with contextlib.suppress(asyncio.QueueEmpty):
                newest.get_nowait()
            newest.put_nowait(text)
    answering.cancel()
    with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
        await answering


async def _answer(socket: WebSocket, newest: asyncio.Queue[str], host: Host, worker: Worker) -> None:
    while True:
        found = await _respond(await newest.get(), host, worker)
        if isinstance(found, bytes):
            await socket.send_bytes(found)
        elif isinstance(found, str):
            await socket.send_text(found)
        else:
            await socket.send_json(found)


async def _respond(text: str, host: Host, worker: Worker) -> bytes | str | dict[str, object]:
    """The answer to a request, or its id, as far as it is known, with a sentence."""
    id = 0
    try:
        if len(text) > MOST:
            raise ValueError(f"a request has at most {MOST:,} characters")
        ask = Ask.model_validate_json(text)
        id = ask.id
        hosted = await chosen(host, worker, ask.run)
        run = hosted.run
        size = tasks.latent_size(run.model)
        if len(ask.z) != size:
            raise ValueError(f"expected a z of {size} numbers, got {len(ask.z)}")
        z = np.array([ask.z], np.float32)
        key = ("live", run, ask.label)
        x = await worker.batched(key, lambda rows: decode(run, rows, ask.label).numpy(), z, urgent=True)
        return message(run.schema, x, id)
    except ValidationError as error:
        return {"id": id, "error": sentence_of(error.errors())}
    except (ValueError, TypeError, OSError, KeyError, BusyError) as error:
        return {"id": id, "error": str(error.args[0]) if error.args else type(error).__name__}
    except Exception as error:
        return {"id": id, "error": unforeseen(error)}

"""The live connection: latents in, pixels out; of each connection the newest request wins."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()

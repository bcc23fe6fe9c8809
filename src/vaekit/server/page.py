"""What the page asks for, below /page: JSON, or raw numbers (float32 little-endian, uint8)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from .depends import GivenHost

router = APIRouter(prefix="/page", include_in_schema=False)


@router.get("/runs")
async def runs(host: GivenHost) -> list[dict[str, Any]]:
    """The names of the runs, the first of which is meant where none is named."""
    return [{"name": name} for name in host.names]

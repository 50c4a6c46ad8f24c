"""The worker's end of the control channel: JSON lines, one reply for each message, in order."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

import structlog

from config.errors import StranglerError

log = structlog.get_logger()
Message = dict[str, Any]
LINE_BYTES_MAX = 1 << 20
ORPHAN_DRAIN_SECONDS = 10.0


class Control(ABC):
    """Answers `{"id": n, "do": "name"}` with the method `do_name`; ends after `drain`, or without a supervisor."""

    @abstractmethod
    async def drain(self, seconds: float) -> None:
        """Finish what runs."""

    async def serve(self, channel: socket.socket) -> None:
        """Until the end of the process. A supervisor that is gone leaves no orphan: we drain and exit."""
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(sock=channel, limit=LINE_BYTES_MAX)
        with suppress(ValueError, RuntimeError):  # not in the main thread
            loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal's Ctrl-C is for the supervisor
            loop.add_signal_handler(signal.SIGTERM, reader.feed_eof)
        while line := await reader.readline():
            message: Message = json.loads(line)
            is_last = message.get("do") == "drain"
            reply = await self._reply(message)
            writer.write(json.dumps(reply).encode() + b"\n")
            with suppress(ConnectionError):
                await writer.drain()
            if is_last:
                break
        else:
            await self.drain(ORPHAN_DRAIN_SECONDS)
        writer.close()

    async def _reply(self, message: Message) -> Message:
        number, do = message.get("id"), str(message.get("do"))
        try:
            if do == "drain":
                await self.drain(float(message.get("seconds", ORPHAN_DRAIN_SECONDS)))
                return {"id": number, "ok": True}
            handler = getattr(self, f"do_{do}", None)
            if handler is None:
                return {"id": number, "ok": False, "error": f"there is no {do!r}"}
            return {"id": number, "ok": True, **await handler(message)}
        except (StranglerError, OSError) as error:
            return {"id": number, "ok": False, "error": str(error)}
        except Exception as error:
            log.exception("control.failed", do=do)
            return {"id": number, "ok": False, "error": f"{type(error).__name__} in {do!r}"}

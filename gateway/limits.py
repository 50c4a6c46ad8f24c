"""Every bound of the data plane, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one worker grants to clients, upstreams and the mirror. Tests make smaller ones."""

    url_bytes_max: int = 16 << 10
    header_bytes_max: int = 64 << 10
    header_count_max: int = 256
    body_bytes_max: int = 64 << 30
    framing_bytes_max: int = 8 << 10  # of chunk sizes and extensions, beyond eight for each byte of the body
    peek_bytes_max: int = 16 << 10
    held_body_bytes_max: int = 64 << 10
    interim_answers_max: int = 32
    connections_per_client_max: int = 16_384

    header_seconds: float = 10.0
    keep_alive_seconds: float = 75.0
    body_idle_seconds: float = 30.0
    body_rate_min: float = 64.0  # bytes a second, over the whole body, after `body_grace_seconds`
    body_grace_seconds: float = 30.0
    total_seconds: float = 3600.0
    linger_seconds: float = 1.0
    tunnel_idle_seconds: float = 300.0
    tunnel_seconds: float = 86_400.0
    sweep_seconds: float = 0.1

    upstream_idle_seconds: float = 4.0  # below the five seconds after which uvicorn hangs up
    upstream_idle_write_seconds: float = 2.0
    upstream_waiting_max: int = 1024

    held_max: int = 10_000
    hold_seconds_max: float = 60.0

    mirror_entries_max: int = 512
    mirror_bytes_max: int = 64 << 20
    mirror_connections: int = 64
    mirror_seconds: float = 10.0
    mirror_repeats_max: int = 32
    comparer_bytes_max: int = 8 << 20

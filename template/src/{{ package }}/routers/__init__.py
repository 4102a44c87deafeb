"""Your own endpoints: every router listed here is served. This folder is yours."""

from __future__ import annotations

from fastapi import APIRouter

from . import artifacts

ROUTERS: tuple[APIRouter, ...] = (artifacts.router,)

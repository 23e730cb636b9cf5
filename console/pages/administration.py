"""Registry, rules and calendar."""

from fastapi import APIRouter

router = APIRouter()

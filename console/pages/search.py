"""Finding cases."""

from fastapi import APIRouter

router = APIRouter()

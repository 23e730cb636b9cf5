"""What I was told."""

from fastapi import APIRouter

router = APIRouter()

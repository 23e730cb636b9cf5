"""One case: its page, its acts, its prints."""

from fastapi import APIRouter

router = APIRouter()

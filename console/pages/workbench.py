"""What I must do now."""

from fastapi import APIRouter

router = APIRouter()

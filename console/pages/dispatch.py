"""The dispatch desk."""

from fastapi import APIRouter

router = APIRouter()

"""All facts in order."""

from fastapi import APIRouter

router = APIRouter()

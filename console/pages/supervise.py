"""The supervisor's desk."""

from fastapi import APIRouter

router = APIRouter()

"""A new request."""

from fastapi import APIRouter

router = APIRouter()

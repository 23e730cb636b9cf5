"""Residents' own page."""

from fastapi import APIRouter

router = APIRouter()

"""Rates and counts, open down to their cases."""

from fastapi import APIRouter

router = APIRouter()

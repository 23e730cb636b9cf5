"""The board on the wall and the open ledger."""

from fastapi import APIRouter

router = APIRouter()

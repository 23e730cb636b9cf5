"""Signing in and out, the own password, sessions and tokens."""

from fastapi import APIRouter

router = APIRouter()

"""Accounts of staff."""

from fastapi import APIRouter

router = APIRouter()

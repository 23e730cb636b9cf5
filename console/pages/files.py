"""Photographs and documents."""

from fastapi import APIRouter

router = APIRouter()

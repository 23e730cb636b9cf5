"""Who I am and what I may do."""

from fastapi import APIRouter

router = APIRouter()

"""Photographs and documents: checked, made anew as nothing but the picture, stored under their digest."""

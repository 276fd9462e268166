"""Frames in, frames and figures out."""

"""Redraw a video: decode, draw, encode as a stream in constant memory.

probing    what a file holds, and whether it is within limits, before its frames are decoded
reading    frames as upright RGB with their own times
gray       whether a film has no colour: :func:`is_gray_film`
hdr        frames of HDR films as pictures of standard range
flow       temporal blending along optical flow against flicker
writing    H.264 in MP4 with the source's sound, whole or not at all
stylizing  the three stages side by side: :func:`stylize_video`
chunks     :func:`split` a video at key frames and :func:`join` the drawn pieces
"""

from workbench.styles.options import VideoLimits
from workbench.styles.video.chunks import Chunk, join, split
from workbench.styles.video.gray import is_gray_film
from workbench.styles.video.probing import VideoInfo, probe
from workbench.styles.video.stylizing import Progress, Result, stylize_video

__all__ = [
    "Chunk",
    "Progress",
    "Result",
    "VideoInfo",
    "VideoLimits",
    "is_gray_film",
    "join",
    "probe",
    "split",
    "stylize_video",
]

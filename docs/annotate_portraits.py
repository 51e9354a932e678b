"""Landmarks and masks of portraits, for ``workbench train portraits``: FOLDER of photos in, one .npz out.

Needs its own environment, for MediaPipe's wheel holds the models and wants an older numpy:

    python3.11 -m venv annotate && annotate/bin/pip install mediapipe==0.10.14 "numpy<2" "jax<0.5"
    annotate/bin/python docs/annotate_portraits.py FOLDER annotations.npz

Per picture: ``landmarks/NAME`` (478, 2) float32, the face mesh with irises in pixels, and ``mask/NAME``
(H, W) uint8, 255 on the person: MediaPipe's selfie segmentation, sharpened by GrabCut, for which a plain
backdrop is easy. Pictures without a face are listed and left out. Both models are Apache-2.0.
"""

import argparse
import logging
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np

log = logging.getLogger(__name__)


def person_mask(photo: np.ndarray, probability: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Binary mask (H, W) in {0, 255} from a soft one in [0, 1] and the face's landmarks."""
    height, width = photo.shape[:2]
    labels = np.select(
        [probability > 0.5, probability > 0.03], [cv2.GC_PR_FGD, cv2.GC_PR_BGD], cv2.GC_BGD
    ).astype(np.uint8)
    sure = cv2.erode((probability > 0.97).astype(np.uint8), np.ones((9, 9), np.uint8))
    face = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(points.astype(np.int32)), 1)
    labels[(sure | face) > 0] = cv2.GC_FGD
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(photo[..., ::-1])
    cv2.grabCut(bgr, labels, None, background, foreground, 3, cv2.GC_INIT_WITH_MASK)
    mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
    mask = (parts == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(1 - mask)
    for part in range(1, count):  # small holes are no background
        if stats[part, cv2.CC_STAT_AREA] < 120:
            mask[parts == part] = 1
    return cv2.medianBlur(mask * 255, 3)


def annotate(folder: Path, out: Path) -> None:
    """Write the annotations of all pictures of ``folder`` to ``out``."""
    solutions = mp.solutions
    mesh = solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=1, min_detection_confidence=0.3
    )
    selfie = solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    found = {}
    for file in sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png")):
        photo = cv2.imread(str(file))[..., ::-1]
        height, width = photo.shape[:2]
        large = np.ascontiguousarray(
            cv2.resize(photo, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
        )
        faces = mesh.process(large).multi_face_landmarks
        if not faces:
            log.warning("no face in %s", file.name)
            continue
        points = np.float32([(p.x * width, p.y * height) for p in faces[0].landmark])
        soft = cv2.resize(
            selfie.process(large).segmentation_mask, (width, height), interpolation=cv2.INTER_AREA
        )
        found[f"landmarks/{file.name}"] = points
        found[f"mask/{file.name}"] = person_mask(photo, soft, points)
    np.savez_compressed(out, **found)
    log.warning("%d portraits annotated in %s", len(found) // 2, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    annotate(arguments.folder, arguments.out)

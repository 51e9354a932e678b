"""Landmarks and masks of portraits, for ``workbench train portraits``: FOLDER of photos in, one .npz out.

    python docs/annotate_portraits.py FOLDER annotations.npz

Per picture: ``landmarks/NAME`` (478, 2) float32, the face mesh with irises in pixels, and ``mask/NAME``
(H, W) uint8, 255 on the person: MediaPipe's selfie segmentation, sharpened by GrabCut, for which a plain
backdrop is easy. NAME is the path in the folder. Pictures without a face, and those that cannot be read, are
named and left out.
"""

import argparse
import logging
from pathlib import Path

import cv2
import numpy as np

from workbench.core.files import replacing
from workbench.data.images import list_images, pass_over, read_each
from workbench.drawing.faces import WEIGHTS, find_faces

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
    segmentation, found = cv2.dnn.readNetFromTFLite(str(WEIGHTS / "person.tflite")), {}
    for file, picture in read_each(list_images(folder)):
        photo, name = np.asarray(picture), file.relative_to(folder).as_posix()
        faces = find_faces(photo)
        if not faces:
            pass_over(file, "There is no face in it.")
            continue
        segmentation.setInput(cv2.dnn.blobFromImage(photo, 1 / 255, (256, 256)))
        soft = cv2.resize(segmentation.forward()[0, 0], photo.shape[1::-1])
        found[f"landmarks/{name}"] = faces[0].landmarks
        found[f"mask/{name}"] = person_mask(photo, soft, faces[0].landmarks)
    with replacing(out) as partial:
        np.savez_compressed(partial, **found)
    log.warning("%d portraits annotated in %s", len(found) // 2, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    annotate(arguments.folder, arguments.out)

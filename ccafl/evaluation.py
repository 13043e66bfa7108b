"""Evaluates the embedding of an encoder on query and gallery."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ccafl import events, ranking
from ccafl.config import Stage
from ccafl.datasets import Dataset, Record
from ccafl.embedding import embed
from ccafl.images import Images
from ccafl.model import ImageEncoder

_REHEARSED = 8  # images of each side


@dataclass(frozen=True, slots=True)
class _Side:
    images: Images
    pid: Tensor
    camid: Tensor

    @classmethod
    def of(cls, records: Sequence[Record], images: Images) -> Self:
        """The numbers of records, in their order."""
        return cls(
            images,
            torch.tensor([record.pid for record in records]),
            torch.tensor([record.camid for record in records]),
        )


class Evaluator:
    """Query and gallery of a data set; the test sides keep the camera numbers of the data set."""

    def __init__(self, dataset: Dataset, query: Images, gallery: Images) -> None:
        self._query = _Side.of(dataset.query, query)
        self._gallery = _Side.of(dataset.gallery, gallery)

    def rehearse(self, encoder: ImageEncoder, device: torch.device) -> None:
        """Evaluate a few images as if they showed one person, so that no late step is the first.

        Raises:
            DatasetError: an image cannot be read.
        """
        query, gallery = (
            embed(encoder, side.images, device, limit=_REHEARSED)
            for side in (self._query, self._gallery)
        )
        ranking.evaluate(
            query,
            gallery,
            query_pid=torch.zeros(len(query), dtype=torch.int64),
            query_camid=torch.zeros(len(query), dtype=torch.int64),
            gallery_pid=torch.zeros(len(gallery), dtype=torch.int64),
            gallery_camid=torch.ones(len(gallery), dtype=torch.int64),
        )

    def __call__(
        self, encoder: ImageEncoder, device: torch.device, *, stage: Stage, epoch: int, step: int
    ) -> events.Evaluation:
        """Rank the gallery with embeddings computed in float32, at a place of the run.

        Raises:
            DatasetError: no query has a match.
        """
        started = time.monotonic()
        found = ranking.evaluate(
            embed(encoder, self._query.images, device),
            embed(encoder, self._gallery.images, device),
            query_pid=self._query.pid,
            query_camid=self._query.camid,
            gallery_pid=self._gallery.pid,
            gallery_camid=self._gallery.camid,
        )
        return events.Evaluation(
            stage=stage,
            epoch=epoch,
            step=step,
            seconds=time.monotonic() - started,
            mean_ap=found.mean_ap,
            rank1=found.rank1,
            rank5=found.rank5,
            rank10=found.rank10,
            mean_inp=found.mean_inp,
            queries=found.queries,
            left_out=found.left_out,
            camera_pairs=tuple(
                events.CameraPair(
                    query_camid=pair.query_camid,
                    gallery_camid=pair.gallery_camid,
                    queries=pair.queries,
                    mean_ap=pair.mean_ap,
                    rank1=pair.rank1,
                )
                for pair in found.camera_pairs
            ),
        )

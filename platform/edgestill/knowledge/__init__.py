"""What the teacher knows, who gets which of it, and how a student learns from it."""

from edgestill.knowledge.bank import KnowledgeBank
from edgestill.knowledge.coefficients import Coefficients, coefficients
from edgestill.knowledge.frames import KnowledgeBatch, SampleLayout
from edgestill.knowledge.link import LinkFit, fit_to_link
from edgestill.knowledge.losses import (
    align_loss,
    distill_loss,
    feature_distance,
    resource_loss,
    task_loss,
)
from edgestill.knowledge.projection import Projection, fit_projection, project
from edgestill.knowledge.projection_frame import decode_projection, encode_projection
from edgestill.knowledge.received import decode_frame, relevance_weights, split_frame
from edgestill.knowledge.scores import likely_counts, relevance
from edgestill.knowledge.selection import Choice, select
from edgestill.knowledge.store import load_bank, save_bank
from edgestill.knowledge.summary import Summary, decode_summary, encode_summary, summarize

__all__ = [
    "Choice",
    "Coefficients",
    "KnowledgeBank",
    "KnowledgeBatch",
    "LinkFit",
    "Projection",
    "SampleLayout",
    "Summary",
    "align_loss",
    "coefficients",
    "decode_frame",
    "decode_projection",
    "decode_summary",
    "distill_loss",
    "encode_projection",
    "encode_summary",
    "feature_distance",
    "fit_projection",
    "fit_to_link",
    "likely_counts",
    "load_bank",
    "project",
    "relevance",
    "relevance_weights",
    "resource_loss",
    "save_bank",
    "select",
    "split_frame",
    "summarize",
    "task_loss",
]

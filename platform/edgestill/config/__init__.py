"""One typed tree for a run: YAML in, resolved YAML out, every wrong key named."""

from edgestill.config.allocation import (
    AllocationConfig,
    BudgetConfig,
    LevelConfig,
    LevelsConfig,
    SignalsConfig,
    StagesConfig,
    ThresholdsConfig,
)
from edgestill.config.fleet import FleetConfig, GroupConfig, TraceConfig
from edgestill.config.joint import JointConfig
from edgestill.config.learning import (
    AugmentationConfig,
    DataConfig,
    EvaluationConfig,
    KnowledgeConfig,
    LossConfig,
    PartitionConfig,
    StudentConfig,
    SummaryConfig,
    TeacherConfig,
    TrainingConfig,
)
from edgestill.config.load import digest, dump, load, load_as, resolve
from edgestill.config.section import LevelName, ModalityKind
from edgestill.config.selection import UtilityConfig
from edgestill.config.split import CodecConfig, SplitConfig
from edgestill.config.tree import (
    EngineConfig,
    FederationConfig,
    PrivacyConfig,
    RunConfig,
    TelemetryConfig,
)

__all__ = [
    "AllocationConfig",
    "AugmentationConfig",
    "BudgetConfig",
    "CodecConfig",
    "DataConfig",
    "EngineConfig",
    "EvaluationConfig",
    "FederationConfig",
    "FleetConfig",
    "GroupConfig",
    "JointConfig",
    "KnowledgeConfig",
    "LevelConfig",
    "LevelName",
    "LevelsConfig",
    "LossConfig",
    "ModalityKind",
    "PartitionConfig",
    "PrivacyConfig",
    "RunConfig",
    "SignalsConfig",
    "SplitConfig",
    "StagesConfig",
    "StudentConfig",
    "SummaryConfig",
    "TeacherConfig",
    "TelemetryConfig",
    "ThresholdsConfig",
    "TraceConfig",
    "TrainingConfig",
    "UtilityConfig",
    "digest",
    "dump",
    "load",
    "load_as",
    "resolve",
]

"""The base of every section of the configuration, and the ranges that its keys share."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Ratio = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
LevelName = Literal["high", "medium", "low", "critical"]
ModalityKind = Literal["visual", "audio", "sensor"]


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, no NaN, no yes or no where a number belongs.

    A number written as text is taken, since YAML 1.1 reads ``1e-3`` as text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _not_boolean(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields.get(info.field_name or "")
        if isinstance(value, bool) and (field is None or field.annotation is not bool):
            raise ValueError("no key takes yes or no")
        return value

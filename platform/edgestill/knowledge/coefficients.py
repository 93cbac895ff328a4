"""How the loss's terms are weighed on a device, by the resources that it has left."""

from dataclasses import dataclass

from edgestill.config import LossConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """The weights of L = task L_task + distill L_distill + align L_align + resource L_resource."""

    task: float
    distill: float
    align: float
    resource: float


def coefficients(config: LossConfig, pressure: float) -> Coefficients:
    """Return the weights under a resource pressure r.

    The form alpha(R)..delta(R) is RA-CMKD's (Cherian & Manoov, "Core Loss Calculation"), which
    leaves the functions open. Here, with the configured bases b, g, d: task = 1; distill =
    b (1 + r), since a pressed device learns most per joule from the teacher; align = g (1 - r),
    since it works on fewer modalities; resource = d r.

    Args:
        config: the base coefficients.
        pressure: r in 0..1, the largest of the normalised CPU, memory, energy and thermal loads.

    Raises:
        ValueError: pressure outside 0..1.
    """
    if not 0.0 <= pressure <= 1.0:
        raise ValueError(f"pressure is {pressure}; expected 0 to 1")
    return Coefficients(
        task=1.0,
        distill=config.distill * (1.0 + pressure),
        align=config.align * (1.0 - pressure),
        resource=config.resource * pressure,
    )

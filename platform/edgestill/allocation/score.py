"""One number for a model's accuracy and latency together."""

SOFT = -0.07
"""Doubling the latency costs as much as about 5 % of the accuracy."""


def latency_score(
    accuracy: float,
    latency_s: float,
    target_s: float,
    *,
    within: float = SOFT,
    beyond: float = SOFT,
) -> float:
    """Return accuracy x (latency / target)^w, in the accuracy's unit.

    Tan et al., "MnasNet", CVPR 2019, equations 2 and 3, with w = ``within`` up to the target and
    ``beyond`` above it; RA-CMKD (Cherian & Manoov) scores its levels so, without naming w. The
    paper's soft constraint is -0.07 on both sides, its hard one 0 within and -1 beyond.

    Args:
        accuracy: in 0..1 or in percent.
        latency_s: above 0.
        target_s: above 0, in the same unit.
        within: w up to the target, at most 0.
        beyond: w above it, at most 0.

    Raises:
        ValueError: a latency or target that is not positive, or an exponent above 0.
    """
    if min(latency_s, target_s) <= 0.0:
        raise ValueError(f"latency {latency_s} and target {target_s} must be above 0")
    if max(within, beyond) > 0.0:
        raise ValueError("an exponent above 0 would reward the slower model")
    ratio = latency_s / target_s
    return float(accuracy * ratio ** (within if ratio <= 1.0 else beyond))

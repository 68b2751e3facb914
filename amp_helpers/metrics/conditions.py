"""The conditions under which every simulator measures a policy."""

WARMUP_S = 3.0
"""Time from standing to a steady gait, left out of every metric but the falls, s."""
HOLD_S = 4.0
"""Time that each command of ``--steps`` is held, s."""
START_NOISE_RAD = 0.05
"""Half the range of the joints' offsets from the default pose at the start of an episode, rad. Without any, all
environments would behave alike."""
PUSH_MPS, PUSH_INTERVAL_S = 0.6, 3.0
"""Size of a push, m/s, and the time between two, s."""

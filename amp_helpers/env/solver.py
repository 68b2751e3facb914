"""MuJoCo Warp's solver in Newton: without work that nothing reads, and without a word from its kernels."""

import logging
from typing import Any

import numpy as np
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonManager
from isaaclab_newton.physics.mjwarp_manager import NewtonMJWarpManager
from mujoco_warp import DisableBit, OverflowType
from newton import Model
from newton.solvers import SolverMuJoCo

SENSED = {"body_qdd", "body_parent_f"}
"""What Newton takes from MuJoCo's sensor stage: an IMU of Isaac Lab asks for the first, a joint wrench sensor for the
second."""


class NewtonLeanManager(NewtonMJWarpManager):
    """Isaac Lab's manager of Newton with MuJoCo Warp, for a ``class_type`` of :class:`MJWarpSolverCfg`.

    Its name has to begin with Newton's: by that Isaac Lab recognizes the physics.

    MuJoCo's sensor stage runs where a sensor of Isaac Lab reads from it. In every substep it would otherwise prepare
    sensors that a robot of Isaac Lab does not have. The solver's kernels print nothing: by default they print a line
    for each robot whose solve is cut short, which a small number of iterations means to do. What they would say of
    dropped contacts, :func:`dropped` says, or a log record when the simulation closes.
    """

    @classmethod
    def _create_solver(cls, model: Model, solver_cfg: MJWarpSolverCfg) -> SolverMuJoCo:
        solver = super()._create_solver(model, solver_cfg)
        if not solver.use_mujoco_cpu:
            option: Any = solver.mjw_model.opt  # pyright: ignore[reportOptionalMemberAccess]
            option.warn_overflow = False
            if SENSED.isdisjoint(model.get_requested_state_attributes()):
                option.disableflags |= DisableBit.SENSOR
        return solver

    @classmethod
    def close(cls) -> None:
        """Log what was dropped, and clean up."""
        for sentence in dropped():
            logging.getLogger(__name__).warning(sentence)
        super().close()


def dropped() -> list[str]:
    """Say what MuJoCo Warp's solver had no room for since the environment opened, or since the last call.

    Returns:
        A sentence each for constraints and contacts.
    """
    data = getattr(NewtonManager._solver, "mjw_data", None)
    if data is None:
        return []
    flags = data.overflow.numpy().copy()
    data.overflow.zero_()

    def robots(kind: OverflowType) -> int:
        return int(np.count_nonzero(flags & kind))

    sentences = []
    if short := robots(OverflowType.NEFC):
        sentences.append(
            f"{short} of {len(flags)} robots needed more than the {data.njmax} rows of constraints that each has, and "
            "the solver left the rest out: contacts or joint limits had no force for a moment; set a larger njmax in "
            "the task's sim.physics.solver_cfg"
        )
    if robots(OverflowType.BROADPHASE | OverflowType.NARROWPHASE):
        sentences.append(
            f"there were more contacts than the {data.naconmax} that the physics has room for, and the rest were left "
            "out; set a larger nconmax in the task's sim.physics.solver_cfg"
        )
    return sentences

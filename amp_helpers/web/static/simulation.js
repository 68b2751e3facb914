"use strict";
// One robot on flat ground in MuJoCo, as amp_helpers/deploy/mujoco_sim.py has it. The model is complete: gains,
// armature and ground are in it, and `layout` names the indices of its joints.

class Simulation {
  /** mujoco: the loaded module; content: the compiled model; layout: {start, qpos, qvel, root_com, substeps}. */
  constructor(mujoco, content, layout, fall) {
    this.mujoco = mujoco;
    this.layout = layout;
    this.fall = { tilt: fall?.tilt ?? 1, root_height: fall?.root_height ?? 0.5 * layout.start[2] };
    mujoco.FS.writeFile("model.mjb", content);
    const files = new mujoco.MjVFS();
    this.model = mujoco.MjModel.from_binary_path("model.mjb", files);
    files.delete();
    this.data = new mujoco.MjData(this.model);
    this.reset();
  }

  delete() {
    this.data.delete();
    this.model.delete();
  }

  /** Stand at rest in the default pose, at (x, y) in m and a heading in rad. */
  reset(x = 0, y = 0, heading = 0) {
    this.mujoco.mj_resetData(this.model, this.data);
    const qpos = this.data.qpos;
    qpos.set(this.layout.start);
    qpos.set([x, y], 0);
    qpos.set([Math.cos(heading / 2), 0, 0, Math.sin(heading / 2)], 3);
    this.data.ctrl.set(this.layout.qpos.map((address) => qpos[address]));
    this.mujoco.mj_forward(this.model, this.data);
  }

  get time() { return this.data.time; }
  get position() { return Array.from(this.data.qpos.subarray(0, 3)); }

  /** Rows of the rotation from the root link's frame to the world's. */
  rotation() {
    const [w, x, y, z] = this.data.qpos.subarray(3, 7);
    return [
      [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
      [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
      [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ];
  }

  /** What sensors measure now, named as Controller.step takes it. */
  sense() {
    const { qpos, qvel } = this.data;
    const rows = this.rotation();
    const toRoot = (v) => [0, 1, 2].map((i) => rows[0][i] * v[0] + rows[1][i] * v[1] + rows[2][i] * v[2]);
    const gyro = Array.from(qvel.subarray(3, 6));
    const [a, b] = [gyro, this.layout.root_com]; // the velocity of the root link's center of mass
    const turning = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    return {
      gyro,
      gravity: toRoot([0, 0, -1]),
      joint_pos: this.layout.qpos.map((address) => qpos[address]),
      joint_vel: this.layout.qvel.map((address) => qvel[address]),
      base_lin_vel: toRoot(qvel).map((value, i) => value + turning[i]),
      heading: Math.atan2(rows[1][0], rows[0][0]),
    };
  }

  /** Simulate one control step towards the joint targets, rad. */
  advance(targets) {
    this.data.ctrl.set(targets);
    for (let i = 0; i < this.layout.substeps; i++) this.mujoco.mj_step(this.model, this.data);
    this.mujoco.mj_kinematics(this.model, this.data); // of the positions after the step
  }

  /** Change the root's horizontal velocity, m/s in the world's frame. */
  push(x, y) {
    const qvel = this.data.qvel;
    qvel[0] += x;
    qvel[1] += y;
  }

  /** Whether the root tilts or sinks further than an episode of training allows, or the simulation diverged. */
  get fallen() {
    const upright = this.rotation()[2][2] >= Math.cos(this.fall.tilt);
    return !(upright && this.data.qpos[2] >= this.fall.root_height);
  }
}

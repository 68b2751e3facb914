"use strict";
// What the page measures while the robot walks, one entry for each control step.

const GAIT_SECONDS = 4;
const GAIT_BAND_HZ = [0.3, 5];
const LEAST_POWER = 1e-3; // of one joint that swings by about 0.1 rad

class Measures {
  constructor(dt, jointNames) {
    this.dt = dt;
    const swinging = jointNames.map((name, j) => (/_hip_pitch_joint$|_knee_joint$/.test(name) ? j : -1));
    this.joints = swinging.filter((j) => j >= 0);
    if (!this.joints.length) this.joints = jointNames.map((_, j) => j);
    this.reset();
  }

  reset() {
    this.rows = [];
    this.falls = 0;
    this.time = 0;
    this.start = null;
    this.position = [0, 0, 0];
    this.forget();
  }

  /** Leave what came before out of the averages: the robot was moved by hand. */
  forget() {
    this.recent = [];
  }

  add(sensors, position, command) {
    this.time += this.dt;
    this.start ??= position;
    this.position = position;
    this.recent.push({ position, heading: sensors.heading, joints: this.joints.map((j) => sensors.joint_pos[j]) });
    if (this.recent.length > GAIT_SECONDS / this.dt) this.recent.shift();
    this.rows.push({ time: this.time, command: command[0], speed: this.speed });
    if (this.rows.length > 12 / this.dt) this.rows.shift();
  }

  /** Distance from the start, m. */
  get moved() {
    return this.start ? Math.hypot(this.position[0] - this.start[0], this.position[1] - this.start[1]) : 0;
  }

  /** Forward speed averaged over the last second, m/s. */
  get speed() {
    return this.mean((a, b) => {
      const heading = a.heading + wrapAngle(b.heading - a.heading) / 2;
      const [dx, dy] = [b.position[0] - a.position[0], b.position[1] - a.position[1]];
      return dx * Math.cos(heading) + dy * Math.sin(heading);
    });
  }

  /** Turning speed averaged over the last second, rad/s. */
  get turn() {
    return this.mean((a, b) => wrapAngle(b.heading - a.heading));
  }

  mean(change) {
    const steps = Math.min(Math.round(1 / this.dt), this.recent.length - 1);
    if (steps < 1) return 0;
    return change(this.recent[this.recent.length - 1 - steps], this.recent[this.recent.length - 1]) / (steps * this.dt);
  }

  /** Stride frequency of the last seconds, Hz, from the spectrum of hips and knees; NaN for a robot that stands. */
  get gaitFrequency() {
    const count = this.recent.length;
    if (count * this.dt < 2) return NaN;
    const window = Array.from({ length: count }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (count - 1)));
    const signals = this.joints.map((_, j) => {
      const mean = this.recent.reduce((sum, row) => sum + row.joints[j], 0) / count;
      return this.recent.map((row, i) => (row.joints[j] - mean) * window[i]);
    });
    let best = LEAST_POWER;
    let frequency = NaN;
    for (let hz = GAIT_BAND_HZ[0]; hz <= GAIT_BAND_HZ[1]; hz += 0.04) {
      const [cosine, sine] = [Math.cos, Math.sin].map((f) => window.map((_, i) => f(2 * Math.PI * hz * i * this.dt)));
      const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
      const power = signals.reduce((sum, row) => sum + dot(row, cosine) ** 2 + dot(row, sine) ** 2, 0) / count ** 2;
      if (power > best) [best, frequency] = [power, hz];
    }
    return frequency;
  }
}

"use strict";
// The control loop of a bundle: observations from what sensors measure, joint targets from the policy. A port of
// amp_helpers/deploy/observation.py and controller.py, with the same numbers. SI units, the root link's frame.

const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const wrapAngle = (angle) => angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));

/** Yaw rate of the z-y-x Euler angles, rad/s, from the angular velocity and the direction of gravity. */
function headingRate(gyro, gravity) {
  const [left, up] = [-gravity[1], -gravity[2]];
  return (left * gyro[1] + up * gyro[2]) / Math.max(left * left + up * up, 1e-6);
}

/** The heading error, rad: the change of the heading less the integral of the commanded turn. */
class Heading {
  constructor(dt) {
    this.dt = dt;
    this.last = null;
    this.turn = 0;
    this.error = 0;
  }

  update(sensors) {
    if (this.last) {
      this.error = wrapAngle(this.error + this.change(this.last, sensors) - this.turn);
      this.turn = sensors.command[2] * this.dt;
    }
    this.last = sensors;
  }

  change(before, now) {
    if (before.heading !== undefined && now.heading !== undefined) return now.heading - before.heading;
    return 0.5 * this.dt * (headingRate(before.gyro, before.gravity) + headingRate(now.gyro, now.gravity));
  }
}

/** The part of a stride that has passed: first read from the legs, then counted; it stops with the command. */
class Clock {
  constructor(term, jointNames, dt) {
    this.law = term.stride;
    this.dt = dt;
    this.hips = term.hip_joints.map((name) => jointNames.indexOf(name));
    this.knees = term.knee_joints.map((name) => jointNames.indexOf(name));
    this.phase = null;
  }

  /** Duration of a stride at a command, s. */
  stride([forward, , turn]) {
    const law = this.law;
    if (forward >= law.run_from) return law.run_s * forward ** law.run_exponent;
    return law.walk_s * Math.max(Math.hypot(forward, law.turn_radius * turn), law.slowest) ** law.walk_exponent;
  }

  /** Add a control step; return sine and cosine of the phase. */
  update(sensors) {
    const stride = this.stride(sensors.command);
    if (this.phase === null) this.phase = this.legPhase(sensors, stride);
    else if (sensors.command.some((value) => value !== 0)) this.phase = (this.phase + this.dt / stride) % 1;
    const angle = 2 * Math.PI * this.phase;
    return [Math.sin(angle), Math.cos(angle)];
  }

  legPhase(sensors, stride) {
    const apart = (values, [left, right]) => values[right] - values[left];
    const speed = stride / (2 * Math.PI);
    const share = this.law.knee_share;
    const sine = share * apart(sensors.joint_pos, this.knees) - speed * apart(sensors.joint_vel, this.hips);
    const cosine = apart(sensors.joint_pos, this.hips) + speed * share * apart(sensors.joint_vel, this.knees);
    const phase = Math.atan2(sine, cosine) / (2 * Math.PI);
    return phase - Math.floor(phase);
  }
}

/** The observation vector: each term's history, oldest first. The first frame fills the history. */
class Observation {
  constructor(facts) {
    this.facts = facts;
    this.size = facts.observation.reduce((sum, term) => sum + term.size * term.history, 0);
    this.joints = facts.observation.map((term) => term.joint_names?.map((name) => facts.joint_names.indexOf(name)));
    this.reset();
  }

  reset() {
    this.frames = this.facts.observation.map(() => []);
    this.heading = new Heading(this.facts.control_dt);
    const { observation, joint_names, control_dt } = this.facts;
    this.clocks = observation.map((term) => (term.stride ? new Clock(term, joint_names, control_dt) : null));
  }

  /** Add a frame of {gyro, gravity, joint_pos, joint_vel, command, base_lin_vel, heading}; return a Float32Array. */
  add(sensors, lastAction) {
    this.heading.update(sensors);
    this.facts.observation.forEach((term, i) => {
      const frames = this.frames[i];
      const value = this.clocks[i] ? this.clocks[i].update(sensors) : this.value(term, sensors, lastAction);
      const columns = this.joints[i] ? this.joints[i].map((joint) => value[joint]) : value;
      for (let copies = frames.length ? 1 : term.history; copies > 0; copies--) frames.push(columns);
      if (frames.length > term.history) frames.shift();
    });
    return Float32Array.from(this.frames.flat().flatMap((columns) => Array.from(columns)));
  }

  value(term, sensors, lastAction) {
    switch (term.name) {
      case "base_lin_vel": return sensors.base_lin_vel;
      case "base_ang_vel": return sensors.gyro;
      case "projected_gravity": return sensors.gravity;
      case "velocity_commands": return this.steered(term, sensors.command);
      case "joint_pos_rel": return sensors.joint_pos.map((angle, j) => angle - this.facts.default_joint_pos[j]);
      case "joint_vel_rel": return sensors.joint_vel;
      case "last_action": return lastAction;
      default: throw new Error(`unknown observation ${term.name}`);
    }
  }

  /** The command, its turn corrected by the heading error; a robot that is told to stand is left alone. */
  steered(term, command) {
    if (command.every((value) => value === 0)) return command;
    const most = term.max_correction ?? 0;
    return [command[0], command[1], command[2] + clip(-(term.heading_gain ?? 0) * this.heading.error, -most, most)];
  }
}

/** A policy, from sensor values to joint position targets. It holds the default pose until start(). */
class Controller {
  /** facts: deploy.json; infer: a function from an observation to a promise of {targets, actions}. */
  constructor(facts, infer) {
    this.facts = facts;
    this.infer = infer;
    this.observation = new Observation(facts);
    this.stop();
  }

  start() {
    this.observation.reset();
    this.action = new Float32Array(this.facts.joint_names.length);
    this.running = true;
  }

  stop() {
    this.action = new Float32Array(this.facts.joint_names.length);
    this.running = false;
  }

  /** The command [forward m/s, left m/s, turn rad/s] within what was trained: each part, then a turn that the speed allows. */
  limited(command) {
    const { commands, max_lateral_acceleration: limit = Infinity } = this.facts;
    const [forward, left, turn] = ["forward", "left", "turn"].map((name, i) => clip(command[i], ...(commands[name] ?? [0, 0])));
    const most = limit / Math.max(Math.abs(forward), 1e-3);
    return [forward, left, clip(turn, -most, most)];
  }

  /** Return a promise of the targets, rad, for the next control step. */
  async step(sensors) {
    const norm = Math.hypot(...sensors.gravity);
    const gravity = sensors.gravity.map((value) => value / norm);
    this.observed = this.observation.add({ ...sensors, gravity, command: this.limited(sensors.command) }, this.action);
    if (!this.running) return this.facts.default_joint_pos;
    const { targets, actions } = await this.infer(this.observed);
    this.action = actions;
    return Array.from(targets, (target, j) => clip(target, ...this.targetLimits(j)));
  }

  /** The joint limits, widened so that a joint at its limit still gets all of its torque. */
  targetLimits(j) {
    const [low, high] = this.facts.joint_limits?.[j] ?? [null, null];
    const reach = this.facts.effort_limit[j] / this.facts.stiffness[j];
    return [(low ?? -Infinity) - reach, (high ?? Infinity) + reach];
  }
}

"use strict";
// The page: it loads the libraries and a policy, then advances the simulation with the clock and draws it.

// What cannot be caught up within these is dropped, so that a slow machine shows slow motion and the page responds.
const MOST_BEHIND = 0.5; // s
const STEPPING_MS = 60; // a frame
const FALL_SECONDS = 1.2;

class Drive {
  /** Load everything that the page embeds; say what is being loaded in `tell`. */
  static async load(config, tell) {
    const begun = performance.now();
    const drive = new Drive();
    drive.config = config;
    tell("Loading the policy runtime …");
    window.ort = await moduleAsset("ort.js");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = await asset("ort.wasm");
    tell("Loading MuJoCo …");
    const { default: loadMujoco } = await moduleAsset("mujoco.js");
    drive.mujoco = await loadMujoco({ wasmBinary: await asset("mujoco.wasm"), locateFile: (name) => name });
    tell("Loading the robot …");
    window.THREE = await moduleAsset("three.js", { "./three.core.js": await moduleAddress("three.core.js") });
    const positions = new Int16Array((await asset("positions")).buffer);
    const normals = new Int8Array((await asset("normals")).buffer);
    drive.canvas = document.getElementById("view");
    drive.scene = new Scene(drive.canvas, config.meshes, positions, normals);
    drive.plot = new SpeedPlot(document.getElementById("plot"));
    drive.policies = new Map(config.policies.map((policy) => [policy.name, policy]));
    drive.loaded = new Map();
    drive.queue = [];
    drive.controls = new Controls({
      push: (direction, speed) => drive.queue.push(() => drive.push(direction, speed)),
      reset: () => drive.queue.push(() => drive.reset()),
      pause: (paused) => { drive.paused = paused; },
      choose: (name) => drive.queue.push(() => drive.choose(name)),
      say: (text) => drive.announce(text),
    });
    await drive.startFromAddress(new URLSearchParams(window.location.search));
    drive.loadSeconds = (performance.now() - begun) / 1000;
    return drive;
  }

  /** ?policy=NAME&forward=M/S&turn=RAD/S */
  async startFromAddress(query) {
    const menu = document.getElementById("policy");
    for (const name of this.policies.keys()) menu.add(new Option(name, name));
    const wanted = query.get("policy");
    const name = this.policies.has(wanted) ? wanted : this.config.policies[0].name;
    menu.value = name;
    await this.choose(name);
    if (wanted && wanted !== name) this.announce(`This page has no policy ${wanted}; it has ${[...this.policies.keys()].join(", ")}.`);
    this.controls.setCommand(Number(query.get("forward")) || 0, Number(query.get("turn")) || 0);
  }

  /** Return a policy with its session, loaded on first use. */
  async policy(name) {
    if (!this.loaded.has(name)) {
      const policy = this.policies.get(name);
      const session = await ort.InferenceSession.create(await asset(`${name}.onnx`), { executionProviders: ["wasm"] });
      const infer = async (observed) => {
        const feeds = { obs: new ort.Tensor("float32", observed, [1, observed.length]) };
        const { joint_targets, actions } = await session.run(feeds);
        return { targets: joint_targets.data, actions: actions.data };
      };
      this.loaded.set(name, { ...policy, infer, content: await asset(`${name}.mjb`) });
    }
    return this.loaded.get(name);
  }

  async choose(name) {
    const { facts, layout, infer, content } = await this.policy(name);
    this.simulation?.delete();
    this.simulation = new Simulation(this.mujoco, content, layout, facts.fall);
    this.controller = new Controller(facts, infer);
    this.obeys = facts.observation.some((term) => term.name === "velocity_commands");
    this.measures = new Measures(facts.control_dt, facts.joint_names);
    this.controls.setPolicy(this.controller, layout.mass);
    this.reset();
  }

  reset() {
    this.simulation.reset();
    this.controller.start();
    this.measures.reset();
    this.downUntil = 0;
    this.behind = 0;
    this.announce("Ready.");
  }

  /** Change the robot's velocity by `speed` m/s, from a side that is named as the robot sees it. */
  push(direction, speed) {
    const angle = { behind: 0, right: Math.PI / 2, front: Math.PI, left: -Math.PI / 2 }[direction];
    const heading = this.simulation.sense().heading + (angle ?? 2 * Math.PI * Math.random());
    const [x, y] = [Math.cos(heading), Math.sin(heading)];
    this.simulation.push(speed * x, speed * y);
    this.scene.showPush(this.simulation.position, x, y);
    this.announce(`Pushed by ${speed.toFixed(1)} m/s.`);
  }

  /** Advance one control step: sense, decide, move. */
  async step() {
    const begun = performance.now();
    const { simulation, controller, measures } = this;
    const sensors = simulation.sense();
    const command = controller.limited(this.controls.command);
    const targets = await controller.step({ ...sensors, command });
    simulation.advance(targets);
    this.stepMs = (this.stepMs ?? 1) + 0.02 * (performance.now() - begun - (this.stepMs ?? 1));
    if (controller.running) measures.add(sensors, simulation.position, command);
    if (controller.running && simulation.fallen) {
      measures.falls += 1;
      controller.stop();
      this.downUntil = simulation.time + FALL_SECONDS;
      this.announce("It fell, and is put back on its feet.");
    } else if (!controller.running && simulation.time > this.downUntil) {
      const [x, y] = simulation.position;
      const known = [x, y, sensors.heading].every(Number.isFinite);
      simulation.reset(...(known ? [x, y, sensors.heading] : []));
      controller.start();
      measures.forget();
    }
  }

  async frame(now) {
    const elapsed = (now - (this.last ?? now)) / 1000;
    this.last = now;
    while (this.queue.length) await this.queue.shift()();
    const dt = this.controller.facts.control_dt;
    let steps = 0;
    if (!this.paused) {
      this.behind = Math.min(this.behind + elapsed, MOST_BEHIND);
      const begun = performance.now();
      for (; this.behind >= dt && performance.now() - begun < STEPPING_MS; steps++) {
        await this.step();
        this.behind -= dt;
      }
      const share = Math.min(elapsed / 1, 1);
      if (elapsed) this.factor = (this.factor ?? 1) + share * ((steps * dt) / elapsed - (this.factor ?? 1));
    }
    this.scene.draw(this.simulation, elapsed);
    if (now > (this.shown ?? 0) + 200) {
      this.shown = now;
      this.showStatus(now);
    }
  }

  showStatus(now) {
    const { measures, controls, controller } = this;
    const style = getComputedStyle(document.documentElement);
    const number = (value, digits) => {
      const text = Number(value).toFixed(digits);
      return Number.isFinite(value) ? text.replace("-", Number(text) ? "−" : "") : "–";
    };
    const show = (id, text) => { document.getElementById(id).textContent = text; };
    const [forward, , turn] = controller.limited(controls.command);
    if (!(now < this.gaitShown + 900)) {
      this.gaitShown = now;
      this.gait = measures.gaitFrequency;
    }
    const heading = (this.simulation.sense().heading * 180) / Math.PI;
    show("status-command", this.obeys ? `${number(forward, 2)} m/s, ${number(turn, 2)} rad/s` : "this policy takes none");
    show("status-speed", `${number(measures.speed, 2)} m/s, ${number(measures.turn, 2)} rad/s`);
    show("status-heading", `${number(heading, 0)}°`);
    show("status-gait", Number.isFinite(this.gait) ? `${number(this.gait, 2)} Hz` : "–");
    show("status-moved", `${number(measures.moved, 1)} m`);
    show("status-time", `${number(measures.time, 1)} s`);
    show("status-falls", `${measures.falls}`);
    const possible = (1000 * controller.facts.control_dt) / this.stepMs;
    show("status-factor", `${number(this.paused ? 0 : this.factor, 2)}× (${number(possible, 0)}×)`);
    this.plot.draw(measures.rows, controller.facts.commands.forward, style);
  }

  announce(text) {
    document.getElementById("news").textContent = text;
  }

  run() {
    const theme = () => this.scene.setTheme(getComputedStyle(document.documentElement));
    theme();
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
    const loop = (now) => {
      this.frame(now).then(() => requestAnimationFrame(loop), fail);
    };
    requestAnimationFrame(loop);
  }
}

function fail(error) {
  const news = document.getElementById("loading");
  news.hidden = false;
  const reason = String(error.message ?? error).replace(/\.$/, "");
  news.textContent = `This page cannot go on: ${reason}. It needs WebGL 2, WebAssembly and a browser of 2023 or later.`;
  document.body.dataset.state = "failed";
  throw error;
}

/** Show the licenses when they are asked for. */
function showLicenses() {
  document.getElementById("about").addEventListener("toggle", async () => {
    document.getElementById("licenses").textContent = await textAsset("licenses");
  }, { once: true });
}

async function main() {
  const config = JSON.parse(document.getElementById("config").textContent);
  const loading = document.getElementById("loading");
  window.drive = await Drive.load(config, (text) => { loading.textContent = text; });
  showLicenses();
  loading.hidden = true;
  document.body.dataset.state = "ready";
  window.drive.run();
}

main().catch(fail);

"use strict";
// What a person commands: keys, sliders, a touch pad, buttons. `command` is [forward m/s, left m/s, turn rad/s].

const SPEED_STEP = 0.1;

class Controls {
  /** actions: functions push(direction, speed), reset(), pause(paused), choose(policy), say(text). */
  constructor(actions) {
    this.actions = actions;
    this.held = new Set();
    this.element = (id) => document.getElementById(id);
    this.forward = this.element("forward");
    this.turn = this.element("turn");
    this.wishedTurn = 0; // of which the forward speed allows what the slider shows
    this.forward.addEventListener("input", () => this.show());
    this.turn.addEventListener("input", () => this.setCommand(this.forward.value, this.turn.value));
    this.element("stop").addEventListener("click", () => this.stop());
    this.element("reset").addEventListener("click", () => this.actions.reset());
    this.element("push").addEventListener("click", () => this.push());
    this.element("strength").addEventListener("input", () => this.show());
    this.element("policy").addEventListener("change", (event) => this.actions.choose(event.target.value));
    this.element("pause").addEventListener("click", (event) => {
      const paused = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", paused);
      this.actions.pause(paused);
    });
    this.listenToKeys();
    this.listenToPad();
    this.giveKeysBack();
  }

  get command() {
    return [Number(this.forward.value), 0, Number(this.turn.value)];
  }

  /** Take what a policy was trained for; what is commanded is kept within it. */
  setPolicy(controller, mass) {
    [this.controller, this.mass] = [controller, mass];
    const ranges = controller.facts.commands;
    const wished = [Number(this.forward.value), this.wishedTurn];
    for (const [slider, range] of [[this.forward, ranges.forward], [this.turn, ranges.turn]]) {
      [slider.min, slider.max] = range;
      slider.disabled = range[0] === range[1];
    }
    this.element("pad").hidden = this.forward.disabled && this.turn.disabled;
    this.setCommand(...wished);
  }

  setCommand(forward, turn) {
    this.forward.value = forward;
    this.turn.value = turn;
    this.wishedTurn = Number(this.turn.value); // within the slider's range
    this.show();
  }

  stop() {
    this.setCommand(0, 0);
    const slowest = Number(this.forward.value);
    if (slowest) this.actions.say(`This policy was not trained to stand: its slowest is ${slowest} m/s.`);
  }

  push() {
    this.actions.push(this.element("direction").value, Number(this.element("strength").value));
  }

  show() {
    if (this.controller) this.turn.value = this.controller.limited([Number(this.forward.value), 0, this.wishedTurn])[2];
    const signed = (value) => Number(value).toFixed(2).replace("-", "−");
    this.element("forward-value").value = `${signed(this.forward.value)} m/s`;
    this.element("turn-value").value = `${signed(this.turn.value)} rad/s`;
    const strength = Number(this.element("strength").value);
    this.element("strength-value").value = `${strength.toFixed(1)} m/s, ${Math.round(strength * (this.mass ?? 0))} N s`;
    this.placeKnob();
  }

  // Forward speed stays when a key is let go; a turn ends, as with a steering wheel.
  listenToKeys() {
    const steer = () => {
      const side = (this.held.has("left") ? 1 : 0) - (this.held.has("right") ? 1 : 0);
      const reach = 0.7 * (side > 0 ? this.turn.max : -this.turn.min);
      this.setCommand(this.forward.value, side * reach);
    };
    const faster = (step) => this.setCommand(Math.round((Number(this.forward.value) + step) * 100) / 100, this.wishedTurn);
    const keys = {
      ArrowUp: () => faster(SPEED_STEP), w: () => faster(SPEED_STEP),
      ArrowDown: () => faster(-SPEED_STEP), s: () => faster(-SPEED_STEP),
      " ": () => this.stop(), p: () => this.push(), r: () => this.actions.reset(),
    };
    const sides = { ArrowLeft: "left", a: "left", ArrowRight: "right", d: "right" };
    const name = (event) => (event.key.length === 1 ? event.key.toLowerCase() : event.key);
    window.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const own = event.target.matches?.("select, summary, a")
        || (event.target.matches?.("input") && event.key.startsWith("Arrow"))
        || (event.target.matches?.("button") && event.key === " ");
      const key = name(event);
      if (own || !(key in keys || key in sides)) return;
      event.preventDefault();
      if (key in sides) {
        this.held.add(sides[key]);
        steer();
      } else if (!event.repeat || !["p", "r"].includes(key)) {
        keys[key]();
      }
    });
    window.addEventListener("keyup", (event) => {
      if (this.held.delete(sides[name(event)])) steer();
    });
    window.addEventListener("blur", () => {
      if (this.held.size) {
        this.held.clear();
        steer();
      }
    });
  }

  // After a click or a drag the keys drive again; whoever came by keyboard keeps the focus.
  giveKeysBack() {
    let pointed = false;
    window.addEventListener("pointerdown", () => { pointed = true; }, true);
    window.addEventListener("keydown", () => { pointed = false; }, true);
    for (const control of document.querySelectorAll("button, select, input")) {
      control.addEventListener(control.matches("button") ? "click" : "change", () => { if (pointed) control.blur(); });
    }
  }

  // The pad commands while it is touched and stops when it is let go.
  listenToPad() {
    const pad = this.element("pad");
    const move = (event) => {
      const box = pad.getBoundingClientRect();
      const part = (value, size) => clip((value / size - 0.5) / 0.38, -1, 1);
      const right = part(event.clientX - box.left, box.width);
      const up = -part(event.clientY - box.top, box.height);
      const forward = up > 0 ? up * this.forward.max : -up * Math.min(this.forward.min, 0);
      this.setCommand(forward, Math.abs(right) < 0.12 ? 0 : right > 0 ? right * this.turn.min : -right * this.turn.max);
    };
    pad.addEventListener("pointerdown", (event) => {
      pad.setPointerCapture(event.pointerId);
      event.preventDefault();
      move(event);
    });
    pad.addEventListener("pointermove", (event) => {
      if (pad.hasPointerCapture(event.pointerId)) move(event);
    });
    pad.addEventListener("lostpointercapture", () => this.stop());
  }

  placeKnob() {
    const [forward, , turn] = this.command;
    const share = (value, low, high) => (value > 0 ? value / (high || 1) : -value / (low || 1));
    const right = -share(turn, Number(this.turn.min), Number(this.turn.max));
    const up = share(forward, Number(this.forward.min), Number(this.forward.max));
    this.element("knob").style.transform = `translate(${38 * 2 * right}%, ${-38 * 2 * up}%)`;
  }
}

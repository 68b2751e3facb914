// A canvas that shows the kernel's pictures, says which were shown, and sends keys and a gamepad's sticks and buttons.

const KEYS = {
    ArrowUp: { kind: "nudge", forward: 1, turn: 0 },
    ArrowDown: { kind: "nudge", forward: -1, turn: 0 },
    ArrowLeft: { kind: "nudge", forward: 0, turn: 1 },
    ArrowRight: { kind: "nudge", forward: 0, turn: -1 },
    " ": { kind: "stand" },
    p: { kind: "push" },
    r: { kind: "reset" },
};
const BUTTONS = { 0: { kind: "push" }, 1: { kind: "reset" } };
const DEAD_ZONE = 0.15;
const POLL_MS = 100;

function sticks(pad) {
    const [turn, forward] = pad.axes.map(value => (Math.abs(value) < DEAD_ZONE ? 0 : -Math.round(value * 50) / 50));
    return { forward: forward || 0, turn: turn || 0 };
}

function render({ model, el }) {
    const view = Math.random().toString(36).slice(2);
    let gone = false;
    // A picture may still be decoding when the view is closed.
    const say = content => gone || model.send({ ...content, view });
    const canvas = document.createElement("canvas");
    canvas.width = model.get("width");
    canvas.height = model.get("height");
    canvas.style.maxWidth = `${canvas.width}px`;
    canvas.className = "amp-stage";
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", model.get("label"));
    // JupyterLab would take the arrow keys, p and r for commands of its own.
    canvas.setAttribute("data-lm-suppress-shortcuts", "true");
    el.appendChild(canvas);
    const context = canvas.getContext("2d");

    async function show(message, buffers) {
        if (message.kind !== "picture") return;
        const picture = await createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" }));
        context.drawImage(picture, 0, 0);
        picture.close();
        say({ kind: "shown", number: message.number });
    }

    canvas.addEventListener("keydown", event => {
        const found = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
        if (!found || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        if (!event.repeat || found.kind === "nudge") say(found);
    });
    canvas.addEventListener("pointerdown", () => canvas.focus());

    let held = { forward: 0, turn: 0 }, pressed = new Set();
    const polling = setInterval(() => {
        // A gamepad that is pulled out is let go of.
        const pad = [...(navigator.getGamepads?.() ?? [])].find(Boolean) ?? { axes: [], buttons: [] };
        const moved = sticks(pad), now = new Set(Object.keys(BUTTONS).filter(button => pad.buttons[button]?.pressed));
        if (moved.forward !== held.forward || moved.turn !== held.turn) {
            held = moved;
            say({ kind: "steer", ...moved });
        }
        for (const button of now) if (!pressed.has(button)) say(BUTTONS[button]);
        pressed = now;
    }, POLL_MS);

    model.on("msg:custom", show);
    say({ kind: "ready" });
    return () => {
        clearInterval(polling);
        model.off("msg:custom", show);
        say({ kind: "gone" });
        gone = true;
    };
}

export default { render };

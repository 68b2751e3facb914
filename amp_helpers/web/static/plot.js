"use strict";
// A running plot of the commanded and the measured speed.

const PLOT_SECONDS = 10;

class SpeedPlot {
  constructor(canvas) {
    this.canvas = canvas;
  }

  /** rows: [{time, command, speed}], oldest first; range: speeds that can be commanded, m/s. */
  draw(rows, range, style) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const color = (name) => style.getPropertyValue(name).trim();
    const [left, right, top, bottom] = [34, width - 8, 8, height - 20];
    const low = Math.min(0, range[0]) - 0.2;
    const high = Math.max(range[1], 1) + 0.2;
    const end = Math.max(rows.at(-1)?.time ?? 0, PLOT_SECONDS);
    const x = (time) => right - ((end - time) / PLOT_SECONDS) * (right - left);
    const y = (speed) => bottom - ((clip(speed, low, high) - low) / (high - low)) * (bottom - top);

    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.lineWidth = 1;
    for (let speed = Math.ceil(low / 0.5) * 0.5; speed <= high; speed += high - low > 2.6 ? 1 : 0.5) {
      pen.strokeStyle = color("--line");
      pen.beginPath();
      pen.moveTo(left, y(speed));
      pen.lineTo(right, y(speed));
      pen.stroke();
      pen.fillStyle = color("--soft");
      pen.fillText(speed.toFixed(1), left - 6, y(speed));
    }
    pen.textBaseline = "alphabetic";
    pen.fillText("now", right, height - 5);
    pen.textAlign = "left";
    pen.fillText(`${PLOT_SECONDS} s ago`, left, height - 5);

    const line = (key, stroke, dash, thickness) => {
      pen.strokeStyle = stroke;
      pen.lineWidth = thickness;
      pen.setLineDash(dash);
      pen.beginPath();
      for (const row of rows) if (row.time > end - PLOT_SECONDS) pen.lineTo(x(row.time), y(row[key]));
      pen.stroke();
      pen.setLineDash([]);
    };
    line("command", color("--soft"), [5, 4], 1.5);
    line("speed", color("--accent"), [], 2);
  }
}

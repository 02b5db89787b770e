import uPlot from "uplot";
import { axes, colour, utc } from "./charts";
import type { Row } from "./event";

const bands = 18; // of Heat in internal/load/rows.go

function data(rows: Row[]): uPlot.AlignedData {
  return [rows.map((row) => row[0]), rows.map(() => null)];
}

// label names the upper bound of a band.
function label(bounds: number[], band: number): string {
  const bound = bounds[band];
  if (bound === undefined) return "";
  return bound >= 1000 ? bound / 1000 + " s" : bound + " ms";
}

// fields draws a field for each band of each row that had requests in it.
function fields(u: uPlot, rows: Row[]): void {
  const from = u.scales.x?.min ?? 0;
  const to = u.scales.x?.max ?? 0;
  let most = 0;
  for (const row of rows) for (let i = 1; i < row[7].length; i += 2) most = Math.max(most, row[7][i] ?? 0);
  const context = u.ctx;
  context.save();
  context.beginPath();
  context.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  context.clip();
  context.fillStyle = colour("--heat");
  rows.forEach((row, i) => {
    const before = rows[i - 1]?.[0] ?? row[0] - 1;
    if (row[0] < from || before > to) return;
    const left = u.valToPos(before, "x", true);
    const width = Math.max(u.valToPos(row[0], "x", true) - left, 1);
    for (let j = 0; j < row[7].length; j += 2) {
      const band = row[7][j] ?? 0;
      const top = u.valToPos(band + 1, "y", true);
      // The logarithm has few slow requests seen beside many fast ones.
      context.globalAlpha = 0.15 + (0.85 * Math.log1p(row[7][j + 1] ?? 0)) / Math.log1p(most);
      context.fillRect(left, top, width, u.valToPos(band, "y", true) - top);
    }
  });
  context.restore();
}

function options(width: number, height: number, place: HTMLElement, rows: Row[]): uPlot.Options {
  const bounds = (place.dataset.bounds ?? "").split(" ").map(Number);
  const [time, band] = axes((_, splits) => splits.map((s) => label(bounds, s - 1)), 64);
  const every = Array.from({ length: bands + 1 }, (_, i) => i).filter((i) => i % 3 === 1); // 0.1, 1, 10 … ms
  return {
    width,
    height,
    tzDate: utc,
    series: [{}, { show: true }],
    axes: [time ?? {}, { ...band, splits: () => every }],
    scales: { y: { range: [0, bands] } },
    cursor: { sync: { key: "run" }, drag: { x: true, y: false }, points: { show: false } },
    legend: { show: false },
    hooks: { drawAxes: [(u) => fields(u, rows)] },
  };
}

export const heatMap = { data, options };

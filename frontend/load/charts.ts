import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Row } from "./event";
import { heatMap } from "./heat";

type Column = 1 | 2 | 3 | 4 | 5 | 6;

// Lines differ by their dashes, not by their colours alone.
interface Line {
  label: string;
  column: Column;
  colour: string;
  dash?: number[];
  style?: "dashed" | "dotted"; // the same in the legend
}

interface Chart {
  unit: string;
  lines: Line[];
}

const charts: Record<string, Chart> = {
  rps: {
    unit: "/s",
    lines: [
      { label: "Requests", column: 2, colour: "--blue" },
      { label: "Failures", column: 3, colour: "--red", dash: [6, 4], style: "dashed" },
    ],
  },
  times: {
    unit: " ms",
    lines: [
      { label: "p50", column: 4, colour: "--green" },
      { label: "p95", column: 5, colour: "--blue", dash: [8, 4], style: "dashed" },
      { label: "p99", column: 6, colour: "--violet", dash: [2, 3], style: "dotted" },
    ],
  },
  users: { unit: "", lines: [{ label: "Users", column: 1, colour: "--blue" }] },
};

const height = 240;

// Between the marks of a time axis, in seconds: a row is a second at least.
const few = [1, 2, 5, 10, 15, 30];
const steps = [few, few.map((m) => m * 60), [1, 2, 3, 6, 12, 24, 48, 168, 720].map((h) => h * 3600)].flat();

/** A colour of page.css, in the theme of the moment. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function axes(values: (u: uPlot, splits: number[]) => string[], size: number): uPlot.Axis[] {
  const look = {
    stroke: colour("--faint"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const clock = "{HH}:{mm}";
  const date = "\n{YYYY}-{MM}-{DD}";
  const time: uPlot.Axis = {
    ...look,
    space: 80,
    incrs: steps,
    values: [
      [86400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1],
      [60, clock, date, null, date, null, null, null, 1],
      [1, clock + ":{ss}", date, null, date, null, null, null, 1],
    ],
  };
  return [time, { ...look, values, size }];
}

/** The time of day is that of the tables, wherever a report is opened. */
export function utc(seconds: number): Date {
  return uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
}

function number(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
}

function options(chart: Chart, width: number): uPlot.Options {
  const lines: uPlot.Series[] = chart.lines.map((line) => ({
    label: line.label,
    stroke: colour(line.colour),
    width: 2,
    dash: line.dash,
    points: { show: false },
    value: (_: uPlot, v: number | null) => (v == null ? "–" : number(v) + chart.unit),
  }));
  return {
    width,
    height,
    tzDate: utc,
    series: [{ label: "Time (UTC)", value: "{HH}:{mm}:{ss}" }, ...lines],
    axes: axes((_, splits) => splits.map((s) => number(s)), 64),
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
    cursor: { sync: { key: "run" }, drag: { x: true, y: false } },
    legend: {
      markers: {
        width: 3,
        stroke: (_: uPlot, i: number) => (i > 0 ? colour(chart.lines[i - 1]?.colour ?? "") : "transparent"),
        fill: "transparent",
        dash: (_: uPlot, i: number) => chart.lines[i - 1]?.style ?? "solid",
      },
    },
  };
}

function columns(rows: Row[], chart: Chart): uPlot.AlignedData {
  return [rows.map((row) => row[0]), ...chart.lines.map((line) => rows.map((row) => row[line.column]))];
}

// zoomed tells that somebody looks at a part of the run; a double click shows all of it.
function zoomed(plot: uPlot): boolean {
  const times = plot.data[0];
  const { min, max } = plot.scales.x ?? {};
  return min != null && max != null && times.length > 0 && (min > (times[0] ?? 0) || max < (times[times.length - 1] ?? 0));
}

// Drawn is a chart on the page.
interface Drawn {
  place: HTMLElement;
  plot?: uPlot;
  make: (width: number, rows: Row[]) => uPlot;
  data: (rows: Row[]) => uPlot.AlignedData;
}

/** Charts draws all charts of the page from the same rows, while they can be seen. */
export class Charts {
  private readonly drawn: Drawn[] = [];

  constructor(private readonly rows: Row[]) {
    for (const place of document.querySelectorAll<HTMLElement>("[data-chart]")) {
      const chart = charts[place.dataset.chart ?? ""];
      const data = chart ? (rows: Row[]) => columns(rows, chart) : (rows: Row[]) => heatMap.data(rows);
      const make = (width: number, rows: Row[]) =>
        new uPlot(chart ? options(chart, width) : heatMap.options(width, height, place, this.rows), data(rows), place);
      this.drawn.push({ place, make, data });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    const size = new ResizeObserver(() => this.draw());
    for (const { place } of this.drawn) size.observe(place);
  }

  /** Draws what is new in the rows. */
  draw(): void {
    for (const chart of this.drawn) {
      chart.place.dataset.rows = String(this.rows.length);
      const width = chart.place.clientWidth;
      if (width === 0 || this.rows.length === 0) {
        if (chart.plot && this.rows.length === 0) chart.plot.setData(chart.data(this.rows));
        continue;
      }
      if (!chart.plot) {
        chart.plot = chart.make(width, this.rows);
        continue;
      }
      if (chart.plot.width !== width) chart.plot.setSize({ width, height });
      if (zoomed(chart.plot)) {
        chart.plot.setData(chart.data(this.rows), false);
        chart.plot.redraw(true, true);
      } else {
        chart.plot.setData(chart.data(this.rows));
      }
    }
  }

  /** Draws all anew, as colours are fixed when a chart is made. */
  private redraw(): void {
    for (const chart of this.drawn) {
      chart.plot?.destroy();
      chart.plot = undefined;
    }
    this.draw();
  }
}

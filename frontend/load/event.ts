// What the server sends once a second, and what a report holds: internal/load/pagestats.go
// tells the shape.

type Figure = number | null;

/** [end in Unix seconds, users, requests/s, failures/s, p50, p95, p99, heat]: times in ms. */
export type Row = [number, number, Figure, Figure, Figure, Figure, Figure, number[]];

export interface Event {
  from: number;
  rows: Row[];
  state?: "ready" | "spawning" | "running" | "stopping" | "stopped";
  users?: number;
  rate?: number;
  parts?: Record<string, string>;
}

/** Puts the rows of an event behind those that there are before it. */
export function take(rows: Row[], event: Event): void {
  rows.length = Math.min(rows.length, event.from);
  rows.push(...event.rows);
}

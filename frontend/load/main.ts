import { Charts } from "./charts";
import { type Event, type Row, take } from "./event";
import { formsFor, makeForms } from "./forms";
import { makeTabs } from "./tabs";

const rows: Row[] = [];

// selected tells that somebody has marked a text within an element.
function selected(part: HTMLElement | null): boolean {
  const selection = getSelection();
  return !!part && !!selection && !selection.isCollapsed && part.contains(selection.anchorNode);
}

// live follows a run.
function live(charts: Charts): void {
  const announce = document.getElementById("announce");
  const pause = document.getElementById("pause");
  const waiting: Record<string, string> = {}; // parts that are not shown yet
  let paused = false;
  let state = document.querySelector<HTMLElement>("main")?.dataset.state;

  const say = (text: string) => {
    if (announce && announce.textContent !== text) announce.textContent = text;
  };
  const show = () => {
    for (const [id, text] of Object.entries(waiting)) {
      const part = document.getElementById(id);
      if (selected(part)) continue; // until it has been copied
      if (part) part.innerHTML = text; // our own server's, escaped there
      delete waiting[id];
    }
    charts.draw();
  };

  const hear = (event: Event) => {
    take(rows, event);
    Object.assign(waiting, event.parts);
    formsFor(event);
    document.body.classList.remove("lost");
    if (paused) return;
    show();
    if (event.state === state) return;
    state = event.state;
    say(document.getElementById("says")?.textContent ?? "");
  };
  // A lost connection is made again by the browser, which tells what came last; one that
  // was refused is not.
  const connect = () => {
    const source = new EventSource("/events");
    source.onmessage = (message) => hear(JSON.parse(message.data) as Event);
    source.onerror = () => {
      document.body.classList.add("lost");
      say("The load tester does not answer; the figures are old.");
      state = undefined;
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
    };
  };
  connect();

  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      if (!paused) show();
    });
  }
}

const charts = new Charts(rows);
const report = document.getElementById("data");
if (report) {
  take(rows, JSON.parse(report.textContent ?? "") as Event);
  charts.draw();
} else {
  makeTabs(() => charts.draw());
  makeForms();
  live(charts);
}

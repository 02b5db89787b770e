// The page's forms, sent without leaving the page.

import type { Event } from "./event";

const wrong = () => document.getElementById("wrong");

function complain(messages: string[]): void {
  const place = wrong();
  if (!place) return;
  place.replaceChildren(
    ...messages.map((message) => {
      const p = document.createElement("p");
      p.textContent = message;
      return p;
    }),
  );
  place.hidden = messages.length === 0;
}

interface Answer {
  success: boolean;
  message: string;
}

async function send(form: HTMLFormElement): Promise<void> {
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)])),
    });
    if (!answer.ok) throw new Error(await answer.text());
    if (answer.headers.get("Content-Type") === "application/json") {
      const { success, message } = (await answer.json()) as Answer;
      if (!success) throw new Error(message);
    }
    complain([]);
    delete form.dataset.typed;
  } catch (error) {
    const message = error instanceof TypeError ? "The load tester does not answer: is it still there?" : String((error as Error).message);
    complain(message.split("\n"));
  } finally {
    for (const button of buttons) button.removeAttribute("aria-disabled");
  }
}

export function makeForms(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("[data-form]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!form.querySelector("button[aria-disabled]")) void send(form);
    });
    form.addEventListener("input", () => (form.dataset.typed = "yes"));
  }
}

/** Shows the forms that a state has use for. */
export function formsFor(event: Event): void {
  const goes = event.state === "spawning" || event.state === "running";
  const busy = goes || event.state === "stopping";
  const focused = document.activeElement;
  for (const form of document.querySelectorAll<HTMLFormElement>("[data-when]")) {
    form.hidden = { goes: !goes, busy: !busy, idle: busy }[form.dataset.when as "goes" | "busy" | "idle"];
  }
  if (focused instanceof HTMLElement && focused !== document.body && focused.closest("form[hidden]")) {
    const next = busy ? '[data-form="stop"] button' : '[data-form="start"] input';
    document.querySelector<HTMLElement>(next)?.focus();
  }
  const edit = document.querySelector<HTMLFormElement>('[data-form="edit"]');
  if (edit && !edit.dataset.typed && event.users !== undefined) {
    set(edit, "user_count", event.users);
    set(edit, "spawn_rate", event.rate ?? 0);
  }
}

function set(form: HTMLFormElement, name: string, value: number): void {
  const field = form.elements.namedItem(name);
  if (field instanceof HTMLInputElement && field.value !== String(value)) field.value = String(value);
}

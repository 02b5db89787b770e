// Tabs by the ARIA pattern, made of links to sections: without script all sections show.

export function makeTabs(shown: () => void): void {
  const list = document.querySelector<HTMLElement>("[data-tabs]");
  if (!list) return;
  const tabs = [...list.querySelectorAll("a")];
  const panels = tabs.map((tab) => document.querySelector<HTMLElement>(tab.hash));
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Results");
  tabs.forEach((tab, i) => {
    const panel = panels[i];
    if (!panel) return;
    tab.id = panel.id + "-tab";
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
  });

  const show = (at: number) => {
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === at));
      tab.tabIndex = i === at ? 0 : -1;
      panels[i]?.toggleAttribute("hidden", i !== at);
    });
    shown();
  };
  const choose = (at: number) => {
    const i = (at + tabs.length) % tabs.length;
    history.replaceState(null, "", tabs[i]?.hash); // a reload shows the same
    show(i);
    tabs[i]?.focus();
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      choose(i);
    });
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1, " ": i }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(to);
    });
  });
  const named = () => Math.max(0, tabs.findIndex((tab) => tab.hash === location.hash));
  addEventListener("hashchange", () => show(named()));
  show(named());
}

// The page: the answer, then one schema at a time.

const main = document.getElementById("main");
const place = el("div", { id: "system" });
const smooth = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";

const go = (id) => {
  const section = document.getElementById(id);
  if (!section) return;
  section.scrollIntoView({ behavior: smooth });
  section.focus({ preventScroll: true });
};

const sections = (system, chosen) =>
  [
    ["schema", "Tables", system.promises && schema(system, (table) => show(system, "promises", { table }))],
    ["promises", "Promises", system.promises && promisesSection(system, chosen)],
    ["mutants", "Mutants", system.mutants && mutantsSection(system)],
    ["queries", "Hot queries", system.queries && queriesSection(system)],
    ["indexes", "Indexes", system.queries && indexesSection(system)],
  ].filter(([, , content]) => content);

// Show a schema's sections, and go to one of them where it is asked for.
const show = (system, section, chosen = {}) => {
  const parts = sections(system, chosen);
  chosenSystem = system;
  const tabs = DATA.systems.map((one) =>
    button(one.name, () => show(one, null), { class: "tab", "aria-pressed": one === system ? "true" : "false" }),
  );
  place.replaceChildren(
    el(
      "nav",
      { class: "bar-top", "aria-label": "Schemas and sections" },
      el("div", { class: "tabs", role: "group", "aria-label": "Schema" }, tabs),
      el(
        "div",
        { class: "anchors" },
        parts.map(([id, title]) =>
          el(
            "a",
            {
              href: `#${id}`,
              onclick: (event) => {
                event.preventDefault();
                go(id);
              },
            },
            title,
          ),
        ),
      ),
    ),
    ...parts.map(([, , content]) => content),
  );
  if (section) go(section);
};

// On paper there is no choosing: every schema is printed, the chosen one first.
let chosenSystem;
let printed;
addEventListener("beforeprint", () => {
  const others = DATA.systems.filter((system) => system !== chosenSystem);
  printed = el(
    "div",
    { class: "printed" },
    others.map((system) => [el("h2", {}, system.name), sections(system, {}).map(([, , content]) => content)]),
  );
  place.after(printed);
});
addEventListener("afterprint", () => printed.remove());

loaded().then((data) => {
  DATA = data;
  document.getElementById("made").textContent = `report of ${when(DATA.made)} UTC, by pgcontract ${DATA.version}`;
  main.replaceChildren(...[overview(show), changesSection(), place].filter(Boolean));
  if (DATA.systems.length) show(DATA.systems[0], null);
  performance.mark("ready");
  main.dataset.ready = "";
});

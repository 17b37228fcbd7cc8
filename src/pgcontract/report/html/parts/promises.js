// The matrix: promises by versions, what is not proven first, and each promise whole.

const MOST_ROWS = 200;

const promisesSection = (system, chosen) => {
  const part = system.promises;
  const groups = failures(part);
  const state = { text: "", kind: "", table: chosen.table ?? "", show: chosen.show ?? "", all: false };
  const body = el("tbody");
  const head = el("thead");
  const told = el("p", { class: "dim told-count", role: "status" });
  const paper = el("p", { class: "dim paper" }, "Promises that are proven are counted here and not printed.");
  const more = el("div");

  const differs = (found) => new Set(found.replaceAll(".", "")).size > 1;
  const shown = (index, found) => {
    const { show } = state;
    if (state.kind !== "" && part.kind[index] !== Number(state.kind)) return false;
    if (
      state.table !== "" &&
      part.tables[part.table[index]] !== state.table &&
      part.picture.parts[part.tables[part.table[index]]] !== state.table
    )
      return false;
    if (show === "differs" && !differs(found)) return false;
    if (show.startsWith("fails:") && !groups.find((g) => named(g) === show.slice(6))?.found.includes(index))
      return false;
    if (show.length === 1 && !found.includes(show)) return false;
    return !state.text || `${part.ids[index]} ${part.clause[index]}`.toLowerCase().includes(state.text);
  };

  const row =
    (runs) =>
    ({ index, found }) =>
      el(
        "tr",
        { class: worst(found) === "p" ? "proven" : null },
        el(
          "th",
          { scope: "row" },
          link(part.ids[index], () => openPromise(system, index), { class: "link name" }),
          el("span", { class: "clause" }, part.clause[index]),
        ),
        el("td", { class: "kind dim" }, part.kinds[part.kind[index]]),
        runs.map((_, n) => el("td", { class: "mark" }, badge(VERDICTS[found[n]]))),
      );

  const draw = () => {
    const runs = columns(part, state.all);
    const rank = { b: 0, u: 1, n: 2, ".": 3, p: 4 };
    const rows = [];
    part.ids.forEach((_, index) => {
      const found = letters(part, index, runs);
      if (shown(index, found)) rows.push({ index, found, rank: rank[worst(found)] });
    });
    // the sort is stable: promises of one rank keep the contract's order
    rows.sort((a, b) => a.rank - b.rank);
    head.replaceChildren(
      el(
        "tr",
        {},
        el("th", { scope: "col" }, "promise"),
        el("th", { scope: "col", class: "kind" }, "kind"),
        runs.map((run) =>
          el("th", { scope: "col", class: "mark", title: runName(run) }, heard("PostgreSQL "), columnName(run, part)),
        ),
      ),
    );
    body.replaceChildren(...rows.slice(0, MOST_ROWS).map(row(runs)));
    // on paper, what is proven is a number, unless it was asked for
    body.classList.toggle("asked", rows.length < part.ids.length);
    paper.hidden = rows.length < part.ids.length;
    const left = rows.length - MOST_ROWS;
    more.replaceChildren(
      ...(left > 0
        ? [
            button(
              `Show ${number(left)} more`,
              () => {
                body.append(...rows.slice(MOST_ROWS).map(row(runs)));
                more.replaceChildren();
              },
              { class: "more" },
            ),
          ]
        : []),
    );
    told.textContent =
      rows.length === part.ids.length
        ? count(rows.length, "promise")
        : `${number(rows.length)} of ${count(part.ids.length, "promise")}`;
  };
  const set = (name) => (value) => {
    state[name] = value;
    draw();
  };

  const search = el("input", {
    type: "search",
    placeholder: "id or clause",
    oninput: () => {
      state.text = search.value.trim().toLowerCase();
      draw();
    },
  });
  const shows = [
    ["", "all verdicts"],
    ...groups.map((g) => [`fails:${named(g)}`, named(g)]),
    ["b", "broken"],
    ["u", "unproven"],
    ["n", "not covered"],
    ["differs", "not the same on all versions"],
  ];
  const sorted = (names) => [...names].sort((a, b) => a.localeCompare(b));
  const controls = el(
    "div",
    { class: "controls", role: "search", "aria-label": "Filter promises" },
    field("Search", search),
    select("Verdict", shows, state.show, set("show")),
    select(
      "Kind",
      [["", "all kinds"], ...sorted(part.kinds).map((kind) => [`${part.kinds.indexOf(kind)}`, kind])],
      state.kind,
      set("kind"),
    ),
    select(
      "Table",
      [["", "all tables"], ...sorted(part.tables.filter(Boolean)).map((name) => [name, name])],
      state.table,
      set("table"),
    ),
    part.runs.some((run) => !run.newest)
      ? el(
          "label",
          { class: "check" },
          el("input", {
            type: "checkbox",
            onchange: (event) => {
              state.all = event.target.checked;
              draw();
            },
          }),
          "Earlier runs too",
        )
      : null,
  );
  draw();
  return el(
    "section",
    { id: "promises", tabindex: "-1" },
    el("h2", {}, "Promises"),
    controls,
    told,
    paper,
    el(
      "div",
      { class: "scroll matrix-frame" },
      el(
        "table",
        { class: "matrix" },
        el("caption", { class: "heard" }, `Promises of ${system.name} on each version`),
        head,
        body,
      ),
    ),
    more,
  );
};

const rowTable = (step, clause) => {
  if (!step.row) return code(`${step.sql};`);
  const words = new Set(clause.match(/[\p{L}\p{N}_$]+/gu) ?? []);
  const entries = Object.entries(step.row);
  const named = entries.filter(([column]) => words.has(column));
  const rows = [...named, ...entries.filter(([column]) => !words.has(column))];
  return el(
    "table",
    { class: "row" },
    el("caption", {}, "A row of ", el("span", { class: "name" }, step.table)),
    el(
      "tbody",
      {},
      rows.map(([column, value]) =>
        el(
          "tr",
          { class: words.has(column) ? "named" : null },
          el("th", { scope: "row", class: "name" }, column),
          el(
            "td",
            { class: "name" },
            value === null ? el("em", {}, "NULL") : value === "" ? el("em", {}, "empty text") : value,
          ),
        ),
      ),
    ),
  );
};

const breakingOf = (told, clause) => {
  const { breaking } = told;
  return [
    el("h3", {}, "What breaks it"),
    breaking
      ? [
          facts([
            [
              "Promised",
              /^[0-9A-Z]{5}( |$)/.test(breaking.promised) ? `refused with ${breaking.promised}` : breaking.promised,
            ],
            ["Seen", breaking.seen],
          ]),
          breaking.change.map((step) => rowTable(step, clause)),
          breaking.reference.length
            ? [el("p", {}, "It is compared with:"), breaking.reference.map((step) => rowTable(step, clause))]
            : null,
          breaking.around.length
            ? el(
                "details",
                {},
                el("summary", {}, `${count(breaking.around.length, "statement")} before it`),
                breaking.around.map((step) => rowTable(step, clause)),
              )
            : null,
        ]
      : el("p", {}, told.reason),
    el("details", { open: !breaking }, el("summary", {}, "As SQL to paste into psql"), code(told.counterexample)),
  ];
};

const openPromise = (system, index) => {
  const part = system.promises;
  const id = part.ids[index];
  const runs = columns(part, true);
  const rows = runs.map((run) => {
    const result = part.results[run.n];
    const told = result.told[index];
    return el(
      "tr",
      {},
      el(
        "th",
        { scope: "row" },
        `${run.postgresql}`,
        el(
          "span",
          { class: "dim" },
          ` ${[run.commit, when(run.date), `seed ${run.seed}`].filter(Boolean).join(" · ")}`,
        ),
      ),
      el(
        "td",
        {},
        badge(VERDICTS[result.verdicts[index]], true),
        told?.reason && !told.counterexample ? el("span", { class: "dim" }, `: ${told.reason}`) : null,
      ),
      el("td", { class: "num" }, number(result.accepts[index])),
      el("td", { class: "num" }, number(result.rejects[index])),
    );
  });
  const broken = runs.filter((run) => part.results[run.n].told[index]?.counterexample);
  const newest = broken.filter((run) => run.newest);
  const shown = (newest.length ? newest : broken).at(-1);
  const values = (title, texts) =>
    texts.length
      ? el(
          "div",
          {},
          el("h4", {}, title),
          el(
            "ul",
            { class: "values" },
            texts.map((n) => el("li", { class: "name" }, part.texts[n])),
          ),
        )
      : null;
  const evidence = [values("Accepted", part.accepted[index]), values("Refused", part.refused[index])].filter(Boolean);
  open(
    id,
    [system.name, part.kinds[part.kind[index]], part.tables[part.table[index]]].filter(Boolean).join(" · "),
    code(part.clause[index]),
    shown ? breakingOf(part.results[shown.n].told[index], part.clause[index]) : null,
    shown && broken.length > 1 ? el("p", { class: "dim" }, `As seen on ${runName(shown)}.`) : null,
    el("h3", {}, "Verdicts"),
    table("Verdicts of this promise", ["version", "verdict", num("accepted"), num("refused")], rows),
    evidence.length ? [el("h3", {}, "The first values that were tried"), el("div", { class: "two" }, evidence)] : null,
    mutantsOf(system, id),
  );
};

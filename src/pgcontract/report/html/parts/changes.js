// Two runs beside each other, verdicts first.

const TITLES = {
  promises: "Promises",
  queries: "Hot queries",
  mutants: "Mutants",
  times: "Times, measured in turns",
  benchmarks: "Benchmarks",
};

const WORSE = {
  promises: { noun: "promise", title: "Promises that grew worse since the last run" },
  queries: { noun: "hot query", title: "Hot queries that grew worse since the last run" },
  // these are beside whatever they were compared with, which need not be the last run
  times: { noun: null, title: "Hot queries that are slower" },
  benchmarks: { noun: "benchmark", title: "Benchmarks that are slower than in the last record" },
  mutants: { noun: "mutant", title: "Mutants that are no longer killed" },
};

// Comparisons of one schema on several majors as one: its items, and on which majors each is so.
const together = () => {
  const found = new Map();
  for (const change of DATA.changes) {
    const key = JSON.stringify([change.what, change.system, change.major === null ? change.a : ""]);
    if (!found.has(key)) found.set(key, { ...change, majors: [], ways: [], items: new Map() });
    const whole = found.get(key);
    if (change.major !== null) whole.majors.push(change.major);
    whole.ways.push([change.a, change.b]);
    for (const item of change.items) {
      const same = JSON.stringify([item.name, item.verdict, toldChange(change, item)]);
      if (!whole.items.has(same)) whole.items.set(same, { ...item, majors: [] });
      whole.items.get(same).majors.push(change.major);
    }
  }
  return [...found.values()].map((whole) => ({
    ...whole,
    majors: whole.majors.sort((a, b) => a - b),
    items: [...whole.items.values()],
  }));
};

const worseOf = (what) => {
  const found = new Map();
  for (const change of together().filter((one) => one.what === what))
    for (const item of change.items.filter((one) => one.verdict === "worse"))
      found.set(`${change.system} ${item.name}`, { change, item });
  return [...found.values()];
};

const on = (item, all) =>
  item.majors.length && item.majors[0] !== null && item.majors.length < all.length
    ? ` on ${[...item.majors].sort((a, b) => a - b).join(", ")}`
    : "";

const systemNamed = (name) => DATA.systems.find((system) => system.name === name);

const opened = (change, item, attributes = { class: "link name" }) => {
  const system = systemNamed(change.system);
  const part = {
    promises: ["promises", "ids", openPromise],
    queries: ["queries", "names", openQuery],
    times: ["queries", "names", openQuery],
  }[change.what];
  const index = part && system?.[part[0]] ? system[part[0]][part[1]].indexOf(item.name) : -1;
  return index < 0
    ? el("span", { class: "name" }, item.name)
    : link(item.name, () => part[2](system, index), attributes);
};

const changedQuery = (item) =>
  el(
    "div",
    {},
    badge(CHANGES[item.verdict], true),
    item.told.length
      ? el(
          "ul",
          {},
          item.told.map((told) => el("li", {}, told)),
        )
      : null,
  );

const toldChange = (change, item) => {
  if (change.what === "queries") {
    const [rows, before, after] = item.sizes.at(-1) ?? [];
    const pages =
      item.sizes.length && before !== after
        ? `${number(before)} → ${count(after, "page")} on ${number(rows)} rows`
        : "";
    return pages || item.told.join("; ");
  }
  if (change.what === "times" || change.what === "benchmarks") {
    if (item.ratio === null) return item.note;
    return `${item.ratio.toFixed(2)} × (${item.low.toFixed(2)} to ${item.high.toFixed(2)}), from ${milliseconds(item.a_milliseconds)} to ${milliseconds(item.b_milliseconds)}`;
  }
  return item.was && item.now ? `${item.was}, now ${item.now}` : (item.now ?? `${item.was} before`);
};

// For the overview: what grew worse, by what it is.
const worsened = () =>
  Object.keys(WORSE).map((what) =>
    group(WORSE[what].title, "bad", worseOf(what), ({ change, item }) => [
      opened(change, item),
      el("span", { class: "dim" }, ` ${toldChange(change, item)}${on(item, change.majors)}`),
    ]),
  );

const changed = (change) => {
  const counts = Object.keys(CHANGES)
    .map((verdict) => [verdict, change.items.filter((item) => item.verdict === verdict).length])
    .filter(([, n]) => n);
  const where = [change.system, change.majors.length ? `PostgreSQL ${change.majors.join(", ")}` : null]
    .filter(Boolean)
    .join(" on ");
  const commits = (label) => label.split(", ")[0];
  const [a, b] =
    change.ways.length === 1
      ? change.ways[0]
      : [0, 1].map((side) => [...new Set(change.ways.map((way) => commits(way[side])))].join(", "));
  const timed = change.what === "times" || change.what === "benchmarks";
  const drawn = timed ? forest(change.items.filter((item) => item.ratio !== null)) : null;
  const row = (item) =>
    el(
      "tr",
      {},
      el("td", {}, badge(CHANGES[item.verdict], true)),
      el("th", { scope: "row" }, opened(change, item)),
      timed ? el("td", { class: "bar-cell" }, drawn(item)) : null,
      el("td", {}, toldChange(change, item), el("span", { class: "dim" }, on(item, change.majors))),
    );
  const notable = change.items.filter((item) => item.verdict !== "same");
  const rest = change.items.filter((item) => item.verdict === "same");
  const headings = ["verdict", "name", ...(timed ? ["B / A"] : []), "what changed"];
  return el(
    "section",
    { class: "change" },
    el("h3", {}, TITLES[change.what], where ? el("span", { class: "dim" }, ` ${where}`) : null),
    el(
      "p",
      { class: "verdicts" },
      counts.length
        ? counts.map(([verdict, n]) =>
            el(
              "span",
              { class: `verdict ${CHANGES[verdict].tone}` },
              `${CHANGES[verdict].mark} ${number(n)} ${CHANGES[verdict].word}`,
            ),
          )
        : el("span", { class: "good" }, "✓ Nothing changed"),
    ),
    el(
      "p",
      { class: "dim" },
      "From ",
      el("span", { class: "name" }, a),
      " to ",
      el("span", { class: "name" }, b),
      change.notes.length ? `. ${change.notes.join(". ")}` : "",
    ),
    notable.length ? table(`What changed: ${TITLES[change.what]}`, headings, notable.map(row)) : null,
    rest.length
      ? el(
          "details",
          {},
          el("summary", {}, `${number(rest.length)} the same`),
          table(`The same: ${TITLES[change.what]}`, headings, rest.map(row)),
        )
      : null,
  );
};

const benchmarksOf = (record) =>
  el(
    "details",
    {},
    el(
      "summary",
      {},
      count(record.items.length, "benchmark"),
      el("span", { class: "dim" }, ` ${[record.commit, when(record.date), record.file].filter(Boolean).join(" · ")}`),
    ),
    table(
      "Benchmarks",
      ["benchmark", num("median"), num("quarters")],
      record.items.map(([name, median, low, high]) =>
        el(
          "tr",
          {},
          el("th", { scope: "row", class: "name" }, name),
          el("td", { class: "num" }, milliseconds(median)),
          el("td", { class: "num" }, `${milliseconds(low)} to ${milliseconds(high)}`),
        ),
      ),
    ),
  );

const changesSection = () =>
  DATA.changes.length || DATA.benchmarks.length
    ? el(
        "section",
        { id: "changes", tabindex: "-1" },
        el("h2", {}, "Beside the run before"),
        together().map(changed),
        DATA.benchmarks.length ? [el("h3", {}, "Records of benchmarks"), DATA.benchmarks.map(benchmarksOf)] : null,
      )
    : null;

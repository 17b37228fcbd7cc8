// Two runs beside each other, verdicts first.

const TITLES = { promises: "Promises", queries: "Hot queries", mutants: "Mutants", times: "Times, measured in turns", benchmarks: "Benchmarks" };

const WORSE = {
  promises: "Promises that grew worse since the last run",
  queries: "Hot queries that grew worse since the last run",
  times: "Hot queries that are slower",
  benchmarks: "Benchmarks that are slower than in the last record",
  mutants: "Mutants that are no longer killed",
};

const systemNamed = (name) => DATA.systems.find((system) => system.name === name);

const opened = (change, item, attributes = { class: "link name" }) => {
  const system = systemNamed(change.system);
  const part = { promises: ["promises", "ids", openPromise], queries: ["queries", "names", openQuery], times: ["queries", "names", openQuery] }[change.what];
  const index = part && system?.[part[0]] ? system[part[0]][part[1]].indexOf(item.name) : -1;
  return index < 0 ? el("span", { class: "name" }, item.name) : link(item.name, () => part[2](system, index), attributes);
};

const changedQuery = (item) => el("div", {}, badge(CHANGES[item.verdict], true), item.told.length ? el("ul", {}, item.told.map((told) => el("li", {}, told))) : null);

const toldChange = (change, item) => {
  if (change.what === "queries") return item.told.join("; ");
  if (change.what === "times" || change.what === "benchmarks") {
    if (item.ratio === null) return item.note;
    return `${item.ratio.toFixed(2)} × (${item.low.toFixed(2)} to ${item.high.toFixed(2)}), from ${milliseconds(item.a_milliseconds)} to ${milliseconds(item.b_milliseconds)}`;
  }
  return item.was && item.now ? `${item.was}, now ${item.now}` : (item.now ?? `${item.was} before`);
};

// For the overview: what grew worse, by what it is.
const worsened = () =>
  Object.keys(WORSE).map((what) => {
    const items = DATA.changes.filter((change) => change.what === what).flatMap((change) => change.items.filter((item) => item.verdict === "worse").map((item) => ({ change, item })));
    return group(WORSE[what], "bad", items, ({ change, item }) => [opened(change, item), el("span", { class: "dim" }, ` ${toldChange(change, item)}`)]);
  });

const changed = (change) => {
  const counts = Object.keys(CHANGES).map((verdict) => [verdict, change.items.filter((item) => item.verdict === verdict).length]).filter(([, n]) => n);
  const where = [change.system, change.major && `PostgreSQL ${change.major}`].filter(Boolean).join(" on ");
  const timed = change.what === "times" || change.what === "benchmarks";
  const drawn = timed ? forest(change.items.filter((item) => item.ratio !== null)) : null;
  const row = (item) =>
    el("tr", {}, el("td", {}, badge(CHANGES[item.verdict], true)), el("th", { scope: "row" }, opened(change, item)), timed ? el("td", { class: "bar-cell" }, drawn(item)) : null, el("td", {}, toldChange(change, item)));
  const notable = change.items.filter((item) => item.verdict !== "same");
  const rest = change.items.filter((item) => item.verdict === "same");
  const headings = ["verdict", "name", ...(timed ? ["B / A"] : []), "told"];
  return el(
    "section",
    { class: "change" },
    el("h3", {}, TITLES[change.what], where ? el("span", { class: "dim" }, ` ${where}`) : null),
    el("p", { class: "verdicts" }, counts.length ? counts.map(([verdict, n]) => el("span", { class: `verdict ${CHANGES[verdict].tone}` }, `${CHANGES[verdict].mark} ${number(n)} ${CHANGES[verdict].word}`)) : el("span", { class: "good" }, "✓ Nothing changed")),
    el("p", { class: "dim" }, "From ", el("span", { class: "name" }, change.a), " to ", el("span", { class: "name" }, change.b), change.notes.length ? `. ${change.notes.join(". ")}` : ""),
    notable.length ? table(`What changed: ${TITLES[change.what]}`, headings, notable.map(row)) : null,
    rest.length ? el("details", {}, el("summary", {}, `${number(rest.length)} the same`), table(`The same: ${TITLES[change.what]}`, headings, rest.map(row))) : null,
  );
};

const benchmarksOf = (record) =>
  el("details", {}, el("summary", {}, count(record.items.length, "benchmark"), el("span", { class: "dim" }, ` ${[record.commit, when(record.date), record.file].filter(Boolean).join(" · ")}`)), table("Benchmarks", ["benchmark", "median", "quarters"].map((h, n) => el("th", { scope: "col", class: n ? "num" : null }, h)), record.items.map(([name, median, low, high]) => el("tr", {}, el("th", { scope: "row", class: "name" }, name), el("td", { class: "num" }, milliseconds(median)), el("td", { class: "num" }, `${milliseconds(low)} to ${milliseconds(high)}`)))));

const changesSection = () =>
  DATA.changes.length || DATA.benchmarks.length
    ? el("section", { id: "changes", tabindex: "-1" }, el("h2", {}, "Beside the run before"), DATA.changes.map(changed), DATA.benchmarks.length ? [el("h3", {}, "Records of benchmarks"), DATA.benchmarks.map(benchmarksOf)] : null)
    : null;

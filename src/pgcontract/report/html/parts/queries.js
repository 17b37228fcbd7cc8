// Hot queries: pages against what is promised, time by size, plans side by side, and what indexes are worth.

const MOST_QUERIES = 25;

const planText = (part, plan) =>
  el(
    "pre",
    { class: "plan", tabindex: "0" },
    plan.map(([depth, what, rows, pages]) =>
      el(
        "span",
        { class: "plan-line" },
        `${"  ".repeat(depth)}${depth ? "└ " : ""}${part.words[what]}`,
        el("span", { class: "dim" }, `  ${count(rows, "row")}, ${count(pages, "page")}\n`),
      ),
    ),
  );

const sideBySide = (pairs) =>
  el(
    "div",
    { class: "two" },
    pairs.map(([title, content]) => el("div", {}, el("h4", {}, title), content)),
  );

const sizeRows = (part, index, runs) =>
  runs
    .flatMap((run) => sizesOf(part, run, index).map((size) => ({ run, size })))
    .map(({ run, size }) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, columnName(run, part)),
        el("td", { class: "num" }, number(size.rows)),
        el("td", { class: "num" }, number(size.pages)),
        el("td", { class: "num" }, size.bound ? number(size.bound) : "–"),
        el("td", { class: "num" }, number(size.most)),
        el(
          "td",
          { class: "num" },
          milliseconds(size.milliseconds),
          size.fastest === null
            ? null
            : el("span", { class: "dim" }, ` ${milliseconds(size.fastest)} to ${milliseconds(size.slowest)}`),
        ),
        el("td", {}, badge(KEPT[size.verdict], true)),
      ),
    );

const chartsOf = (part, index, runs) => {
  const points = (drawn) => (run) => ({
    name: columnName(run, part),
    points: sizesOf(part, run, index)
      .map(drawn)
      .filter((p) => p[1] > 0),
  });
  const newest = sizesOf(part, runs.at(-1), index);
  return el(
    "div",
    { class: "two" },
    lines({
      title: "Pages by the size of the database",
      xLabel: "rows in the database",
      yLabel: "pages",
      series: [
        ...runs.map(points((s) => [s.rows, s.pages, s.pages, s.pages])),
        { name: "limit", plain: true, points: newest.map((s) => [s.rows, s.most, s.most, s.most]) },
        {
          name: "bound",
          plain: true,
          points: newest.filter((s) => s.bound).map((s) => [s.rows, s.bound, s.bound, s.bound]),
        },
      ],
    }),
    lines({
      title: "Time by the size of the database",
      xLabel: "rows in the database",
      yLabel: "milliseconds",
      series: runs.map(
        points((s) => [s.rows, s.milliseconds, s.fastest ?? s.milliseconds, s.slowest ?? s.milliseconds]),
      ),
    }),
  );
};

const plansOf = (part, index, runs) => {
  const seen = new Map();
  for (const run of runs) {
    const plan = part.results[run.n][index]?.plan ?? [];
    if (!plan.length) continue;
    const key = plan.map(([depth, what]) => `${depth}:${what}`).join();
    if (!seen.has(key)) seen.set(key, { names: [], plan });
    seen.get(key).names.push(columnName(run, part));
    seen.get(key).plan = plan;
  }
  return [...seen.values()].map(({ names, plan }) => [`Plan on ${names.join(", ")}`, planText(part, plan)]);
};

// What is wrong, on the largest database first, with the majors that say so.
const problemsOf = (part, index, runs) => {
  const found = new Map();
  for (const run of runs)
    for (const size of sizesOf(part, run, index).toReversed())
      for (const problem of size.problems) {
        const key = `${number(size.rows)} rows: ${problem}`;
        found.set(key, [...(found.get(key) ?? []), run.major]);
      }
  return [...found].map(([problem, majors]) => `${problem} (on ${[...new Set(majors)].join(", ")})`);
};

const openQuery = (system, index) => {
  const part = system.queries;
  const name = part.names[index];
  const runs = columns(part, true).filter((run) => part.results[run.n][index]);
  const newest = runs.filter((run) => run.newest);
  const problems = problemsOf(part, index, newest);
  const worth = part.worth.filter((one) => one.query === name);
  const change = DATA.changes.find(
    (one) => one.what === "queries" && one.system === system.name && one.items.some((item) => item.name === name),
  );
  open(
    name,
    `${system.name} · hot query`,
    part.meaning[index] ? el("p", {}, part.meaning[index]) : null,
    problems.length
      ? [
          el("h3", { class: "bad" }, "What breaks its promise"),
          shortened(
            problems,
            3,
            (problem) => el("li", {}, problem),
            (items) => el("ul", {}, items),
          ),
        ]
      : null,
    facts([
      ["Uses", part.uses[index].join(", ") || "no index"],
      ["At most", `${part.promise[index]} pages`],
    ]),
    change
      ? [
          el("h3", {}, "Since the run before"),
          changedQuery(change.items.find((item) => item.name === name)),
          el("p", { class: "dim" }, `${change.a} and ${change.b}`),
        ]
      : null,
    chartsOf(part, index, newest),
    table(
      "What was measured",
      ["version", num("rows"), num("pages"), num("bound"), num("limit"), num("median, least to most"), "promise"],
      sizeRows(part, index, runs),
    ),
    el("h3", {}, "Plans on the largest database"),
    sideBySide(plansOf(part, index, runs)),
    worth.map((one) => [
      el("h3", {}, "With and without ", el("span", { class: "name" }, one.index)),
      sideBySide([
        [`With: ${count(one.pages[0], "page")}, ${milliseconds(one.milliseconds[0])}`, planText(part, one.plans[0])],
        [`Without: ${count(one.pages[1], "page")}, ${milliseconds(one.milliseconds[1])}`, planText(part, one.plans[1])],
      ]),
    ]),
    el("details", {}, el("summary", {}, "The query"), code(part.sql[index])),
  );
};

const queriesSection = (system) => {
  const part = system.queries;
  const runs = columns(part);
  const worse = new Set(
    DATA.changes
      .filter((one) => one.what === "queries" && one.system === system.name)
      .flatMap((one) => one.items.filter((item) => item.verdict === "worse").map((item) => item.name)),
  );
  const rows = part.names.map((name, index) => {
    const verdicts = runs.map((run) => verdictOf(sizesOf(part, run, index)));
    const largest = sizesOf(part, runs.findLast((run) => part.results[run.n][index]) ?? runs.at(-1), index).at(-1);
    const used = largest ? largest.pages / Math.max(largest.most, 1) : 0;
    const rank = verdicts.includes("broken") ? 0 : worse.has(name) ? 1 : 2;
    return { rank, used, index, name, verdicts, largest };
  });
  rows.sort((a, b) => a.rank - b.rank || b.used - a.used);
  const drawn = ({ rank, index, name, verdicts, largest }) =>
    el(
      "tr",
      {},
      el(
        "th",
        { scope: "row" },
        link(name, () => openQuery(system, index), { class: "link name" }),
        worse.has(name) ? [" ", badge(CHANGES.worse, true)] : null,
        el("span", { class: "clause" }, part.uses[index].join(", ")),
      ),
      el(
        "td",
        { class: "bar-cell" },
        largest
          ? gauge(largest.pages, largest.most, rank === 0, `${largest.pages} pages of at most ${largest.most}`)
          : null,
      ),
      el("td", { class: "num" }, largest ? `${number(largest.pages)} of ${number(largest.most)}` : "–"),
      runs.map((run) => {
        const size = sizesOf(part, run, index).at(-1);
        return el("td", { class: "num" }, size ? milliseconds(size.milliseconds) : "–");
      }),
      verdicts.map((verdict) => el("td", { class: "mark" }, verdict ? badge(KEPT[verdict]) : "–")),
    );
  const headings = [
    "query",
    "pages of what is allowed",
    num("pages"),
    ...runs.map((run) => num(`time on ${run.major}`)),
    ...runs.map((run) => mark(`${run.major}`)),
  ];
  const framed = table("Hot queries", headings, rows.slice(0, MOST_QUERIES).map(drawn));
  const body = framed.querySelector("tbody");
  const left = rows.slice(MOST_QUERIES);
  const more = left.length
    ? button(
        `Show ${number(left.length)} more`,
        () => {
          body.append(...left.map((row) => labelled(drawn(row), headings)));
          more.remove();
        },
        { class: "more" },
      )
    : null;
  return el(
    "section",
    { id: "queries", tabindex: "-1" },
    el("h2", {}, "Hot queries"),
    el("p", { class: "dim" }, "On the largest database that was tried. The mark in a bar is what the query may take."),
    framed,
    more,
  );
};

const indexesSection = (system) => {
  const part = system.queries;
  const idle = unneeded(part);
  const weak = part.indexes.filter((index) => index.needed);
  const serves = (index) =>
    index.serves.length
      ? `, but ${index.serves.join(", ")} looks its rows up by it when a row that is referred to goes`
      : "";
  const listed = (items, told) =>
    el(
      "ul",
      { class: "plain spaced" },
      items.map((index) =>
        el(
          "li",
          {},
          el("span", { class: "name strong" }, index.name),
          el("span", { class: "dim" }, ` on ${index.table}`, told(index)),
          el("span", { class: "clause" }, index.clause),
        ),
      ),
    );
  const most = Math.max(1, ...part.worth.map((one) => Math.max(...one.pages)));
  const times = (one) => one.pages[1] / Math.max(one.pages[0], 1);
  const worth = [...part.worth].sort((a, b) => times(a) - times(b));
  const at = (query) => part.names.indexOf(query);
  const rows = worth.map((one) =>
    el(
      "tr",
      {},
      el(
        "th",
        { scope: "row" },
        el("span", { class: "name" }, one.index),
        el(
          "span",
          { class: "clause" },
          "for ",
          link(one.query, () => openQuery(system, at(one.query)), { class: "link name" }),
        ),
      ),
      el(
        "td",
        { class: "bar-cell" },
        one.pages.map((pages, n) =>
          bar(
            [
              { value: Math.log1p(pages), tone: n ? "warn" : "good", word: `${pages} pages` },
              { value: Math.max(Math.log1p(most) - Math.log1p(pages), 0), tone: "none", word: "" },
            ],
            `${n ? "without" : "with"}: ${pages} pages`,
          ),
        ),
      ),
      el("td", { class: "num" }, number(one.pages[0])),
      el("td", { class: "num" }, number(one.pages[1])),
      el("td", { class: "num" }, `${times(one) >= 10 ? number(Math.round(times(one))) : times(one).toFixed(1)} ×`),
      el("td", { class: "num" }, milliseconds(one.milliseconds[0])),
      el("td", { class: "num" }, milliseconds(one.milliseconds[1])),
    ),
  );
  const headings = [
    "index",
    "pages, log scale",
    ...["pages with", "without", "worth", "time with", "without"].map(num),
  ];
  return el(
    "section",
    { id: "indexes", tabindex: "-1" },
    el("h2", {}, "Indexes"),
    idle.length
      ? [el("h3", { class: "warn" }, "No hot query needs"), listed(idle, serves)]
      : el("p", { class: "good" }, "✓ Every index that no constraint made is needed by a hot query."),
    weak.length ? [el("h3", {}, "Promised, and the query touches no page more without"), listed(weak, serves)] : null,
    rows.length ? [el("h3", {}, "What they are worth"), table("What indexes are worth", headings, rows)] : null,
  );
};

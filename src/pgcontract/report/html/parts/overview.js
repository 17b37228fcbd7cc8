// The answer first: what is broken, where, and what grew worse.

const listed = (said) => (said.length > 1 ? `${said.slice(0, -1).join(", ")} and ${said.at(-1)}` : said.join(""));

const summed = (part, found) =>
  DATA.systems.filter((system) => system[part]).reduce((sum, system) => sum + found(system[part]).length, 0);

const headline = () => {
  const broken = [
    [summed("promises", (part) => withWorst(part, "b")), "promise", "promises"],
    [summed("queries", brokenQueries), "hot query", "hot queries"],
  ].filter(([n]) => n);
  const unproven = summed("promises", (part) => withWorst(part, "u"));
  if (broken.length)
    return {
      text: `${listed(broken.map(([n, one, many]) => count(n, one, many)))} ${broken.length > 1 || broken[0][0] > 1 ? "are" : "is"} broken.`,
      tone: "bad",
    };
  if (unproven) return { text: `Nothing is broken; ${count(unproven, "promise")} could not be proven.`, tone: "warn" };
  return {
    text: summed("promises", (part) => part.ids) ? "Every promise is proven." : "Nothing is broken.",
    tone: "good",
  };
};

const sinceThen = () => {
  const said = Object.entries(WORSE)
    .filter(([, { noun }]) => noun)
    .map(([what, { noun }]) => [noun, worseOf(what).length])
    .filter(([, n]) => n)
    .map(([noun, n]) => count(n, noun, noun.replace(/y$/, "ie").replace(/$/, "s")));
  return said.length
    ? el(
        "p",
        { class: "since bad" },
        el("span", { "aria-hidden": "true" }, "▲ "),
        `${listed(said)} grew worse since the last run.`,
      )
    : null;
};

const withWorst = (part, letter) => newest(part).worst.flatMap((found, index) => (found === letter ? [index] : []));

const brokenQueries = (part) => {
  const runs = columns(part);
  return part.names
    .map((_, index) => index)
    .filter((index) => runs.some((run) => verdictOf(sizesOf(part, run, index)) === "broken"));
};

const looked = () => {
  const majors = [
    ...new Set(
      DATA.systems.flatMap((s) =>
        [s.promises, s.mutants, s.queries].filter(Boolean).flatMap((p) => columns(p).map((run) => run.postgresql)),
      ),
    ),
  ];
  const promises = DATA.systems.reduce((sum, s) => sum + (s.promises?.ids.length ?? 0), 0);
  const mutants = DATA.systems.reduce((sum, s) => sum + (s.mutants?.what.length ?? 0), 0);
  const queries = DATA.systems.reduce((sum, s) => sum + (s.queries?.names.length ?? 0), 0);
  return [
    count(DATA.systems.length, "schema"),
    majors.length && `PostgreSQL ${majors.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).join(", ")}`,
    promises && count(promises, "promise"),
    mutants && count(mutants, "mutant"),
    queries && count(queries, "hot query", "hot queries"),
  ]
    .filter(Boolean)
    .join(" · ");
};

const cell = (text, tone, mark = "") =>
  el("td", { class: `num ${tone}` }, el("span", {}, mark && el("span", { "aria-hidden": "true" }, `${mark} `), text));

const systemsTable = (show) => {
  const majors = [
    ...new Set(DATA.systems.flatMap((s) => (s.promises ? columns(s.promises).map((run) => run.major) : []))),
  ].sort((a, b) => a - b);
  const headings = [
    "schema",
    ...majors.map((major) => `promises on ${major}`),
    "mutants killed",
    "hot queries",
    "indexes",
  ];
  const rows = DATA.systems.map((system) => {
    const runs = system.promises ? columns(system.promises) : [];
    const perMajor = majors.map((major) => {
      const run = runs.find((one) => one.major === major);
      if (!run) return cell("–", "dim");
      const found = counted(system.promises, run);
      const all = found.p + found.b + found.u;
      if (found.b) return cell(`${number(found.b)} broken of ${number(all)}`, "bad", "✗");
      if (found.u) return cell(`${number(found.u)} unproven of ${number(all)}`, "warn", "?");
      return cell(`${number(found.p)} proven`, "good", "✓");
    });
    const mutation = system.mutants && columns(system.mutants).at(-1);
    const score = mutation && scoreOf(system.mutants.results[mutation.n].fates);
    const broken = system.queries && brokenQueries(system.queries);
    const idle = system.queries && unneeded(system.queries);
    const cells = [
      ...perMajor,
      cell(score ? percent(score.part) : "–", ""),
      system.queries
        ? broken.length
          ? cell(`${number(broken.length)} broken of ${number(system.queries.names.length)}`, "bad", "✗")
          : cell(`${number(system.queries.names.length)} kept`, "good", "✓")
        : cell("–", "dim"),
      cell(
        idle
          ? idle.length
            ? link(`${number(idle.length)} not needed`, () => show(system, "indexes"))
            : "all needed"
          : "–",
        "",
      ),
    ];
    return el(
      "tr",
      {},
      el(
        "th",
        { scope: "row" },
        link(system.name, () => show(system, "schema")),
      ),
      cells,
    );
  });
  return table(
    "Each schema on each version",
    headings.map((text, n) => (n ? num(text) : text)),
    rows,
    { class: "cards wide" },
  );
};

// One group of things to look at: a heading that says how many, and the things, each a click away.
const cut = (text, most = 96) => (text.length > most ? `${text.slice(0, most)}…` : text);
const group = (title, tone, items, drawn, most = 6) =>
  items.length
    ? el(
        "section",
        { class: `group ${tone}` },
        el("h2", {}, title, " ", el("span", { class: "how-many" }, number(items.length))),
        shortened(items, most, (item) => el("li", {}, drawn(item))),
      )
    : null;

const attention = (show) => {
  const many = DATA.systems.length > 1;
  const prefix = (system) => (many ? el("span", { class: "dim" }, `${system.name} · `) : null);
  const promises = new Map();
  for (const system of DATA.systems.filter((one) => one.promises))
    for (const found of failures(system.promises)) {
      const key = `${named(found)}`;
      promises.set(key, [...(promises.get(key) ?? []), ...found.found.map((index) => ({ system, index }))]);
    }
  const promise = ({ system, index }) => [
    prefix(system),
    link(system.promises.ids[index], () => openPromise(system, index), { class: "link name" }),
  ];
  const query = ({ system, index }) => [
    prefix(system),
    link(system.queries.names[index], () => openQuery(system, index), { class: "link name" }),
  ];
  const index = ({ system, found }) => [
    prefix(system),
    link(found.name, () => show(system, "indexes"), { class: "link name" }),
    el("span", { class: "dim" }, ` on ${found.table}${found.serves.length ? ", for a foreign key" : ""}`),
  ];
  const each = (part, found) =>
    DATA.systems
      .filter((system) => system[part])
      .flatMap((system) =>
        found(system).map((one) => (typeof one === "number" ? { system, index: one } : { system, found: one })),
      );
  const alive = each("mutants", (system) => survivors(system.mutants).map((one) => one.index));
  return [
    [...promises].map(([key, found]) => group(key[0].toUpperCase() + key.slice(1), "bad", found, promise)),
    group(
      "Hot queries whose promise is broken",
      "bad",
      each("queries", (system) => brokenQueries(system.queries)),
      query,
    ),
    worsened(),
    group(
      "Promises without evidence",
      "warn",
      each("promises", (system) => withWorst(system.promises, "u")),
      promise,
    ),
    group(
      "Indexes that no hot query needs",
      "warn",
      each("queries", (system) => unneeded(system.queries)),
      index,
    ),
    group(
      "Mutants that no proof killed",
      "warn",
      alive,
      ({ system, index: n }) => [
        prefix(system),
        link(cut(mutantName(system.mutants, n)), () => openMutant(system, n), { class: "link name" }),
      ],
      4,
    ),
    group(
      "Schemas that drifted from their contract",
      "warn",
      each("promises", (system) => [...new Set(columns(system.promises).flatMap((run) => run.drift))]),
      ({ system, found }) => [prefix(system), el("span", { class: "name" }, cut(found, 140))],
    ),
  ];
};

const overview = (show) => {
  const { text, tone } = headline();
  const groups = attention(show).flat().filter(Boolean);
  return el(
    "section",
    { id: "answer", tabindex: "-1" },
    el("h1", { class: tone }, text),
    sinceThen(),
    el("p", { class: "dim" }, looked()),
    DATA.systems.length ? systemsTable(show) : null,
    groups.length ? el("div", { class: "groups" }, groups) : null,
  );
};

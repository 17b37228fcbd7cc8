// How many small ways to break the schema the proofs notice, by kind; and those that are alive.

const mutantName = (part, index) =>
  `${part.promises[part.promise[index]]} ${part.operators[part.operator[index]]} ${part.what[index]}`.trim();

// Those alive in the newest run of any major for which nobody gave a reason.
const survivors = (part) => {
  const found = new Map();
  for (const run of columns(part)) {
    const { fates, told } = part.results[run.n];
    [...fates].forEach((fate, index) => {
      if ("sd".includes(fate) && !told[index].listed) found.set(index, [...(found.get(index) ?? []), run]);
    });
  }
  return [...found].map(([index, runs]) => ({ index, runs }));
};

const openMutant = (system, index) => {
  const part = system.mutants;
  const runs = columns(part, true).filter((run) => part.results[run.n].fates[index] !== ".");
  const told = runs.map((run) => part.results[run.n].told[index]).findLast(Boolean);
  const promise = part.promises[part.promise[index]];
  const at = system.promises ? system.promises.ids.indexOf(promise) : -1;
  open(
    mutantName(part, index),
    `${system.name} · ${part.kinds[part.kind[index]]} · mutant`,
    facts([
      ...runs.map((run) => [`PostgreSQL ${run.postgresql}`, FATES[part.results[run.n].fates[index]].word]),
      ["Differs", told?.reason || null],
      ["Let live because", told?.listed ?? null],
      ["Promise", at < 0 ? promise : link(promise, () => openPromise(system, at), { class: "link name" })],
    ]),
    told?.ddl ? [el("h3", {}, "The change"), code(told.ddl)] : null,
  );
};

const mutantsOf = (system, promise) => {
  const part = system.mutants;
  const number_ = part ? part.promises.indexOf(promise) : -1;
  if (number_ < 0) return null;
  const run = columns(part).at(-1);
  const { fates, killers } = part.results[run.n];
  const own = part.promise
    .map((one, index) => ({ one, index }))
    .filter(({ one, index }) => one === number_ && fates[index] !== ".");
  return [
    el("h3", {}, "Mutants"),
    el(
      "ul",
      { class: "plain" },
      own.map(({ index }) => {
        const fate = FATES[fates[index]];
        const text = [part.operators[part.operator[index]], part.what[index]].join(" ");
        return el(
          "li",
          {},
          fates[index] === "k"
            ? el("span", { class: "name" }, text)
            : link(text, () => openMutant(system, index), { class: "link name" }),
          el("span", { class: fate.tone }, ` ${fate.word}`),
          killers[index] ? el("span", { class: "dim" }, ` by ${killers[index]}`) : null,
        );
      }),
    ),
  ];
};

const mutantsSection = (system) => {
  const part = system.mutants;
  const runs = columns(part);
  const newest = runs.at(-1);
  const { fates } = part.results[newest.n];
  const kinds = part.kinds.map((kind, n) => ({
    kind,
    own: (all) => [...all].filter((_, index) => part.kind[index] === n).join(""),
  }));
  const line = (name, own) => {
    const now = own(fates);
    const pieces = [..."kdsei"].map((letter) => ({
      ...FATES[letter],
      value: [...now].filter((fate) => fate === letter).length,
    }));
    return {
      lowest: Math.min(...runs.map((run) => scoreOf(own(part.results[run.n].fates)).part ?? 2)),
      row: el(
        "tr",
        {},
        el("th", { scope: "row" }, name),
        el(
          "td",
          { class: "bar-cell" },
          bar(
            pieces,
            pieces
              .filter((p) => p.value)
              .map((p) => `${p.value} ${p.word}`)
              .join(", "),
          ),
        ),
        el("td", { class: "num" }, number([...now].filter((fate) => fate !== ".").length)),
        el("td", { class: "num" }, number([...now].filter((fate) => "ds".includes(fate)).length)),
        runs.map((run) => el("td", { class: "num" }, percent(scoreOf(own(part.results[run.n].fates)).part))),
      ),
    };
  };
  const all = line("all kinds", (found) => found);
  const each = kinds.map(({ kind, own }) => line(kind, own)).sort((a, b) => a.lowest - b.lowest);
  const sampled = runs.some((run) => run.sample);
  const alive = survivors(part);
  const headings = [
    "kind",
    "what became of them",
    num("mutants"),
    num("alive"),
    ...runs.map((run) => num(`killed on ${run.major}`)),
  ];
  return el(
    "section",
    { id: "mutants", tabindex: "-1" },
    el("h2", {}, "Mutants"),
    el(
      "p",
      { class: "dim" },
      "Each is one small change that breaks one promise; a proof should notice it by behaviour.",
      sampled ? " A sample was tried, not all." : "",
      " ",
      [..."kdse"].map((letter) => el("span", { class: `legend swatch ${FATES[letter].tone}` }, FATES[letter].word)),
    ),
    table("Mutants by kind", headings, [all.row, ...each.map((one) => one.row)]),
    alive.length
      ? [
          el("h3", {}, "Alive"),
          shortened(alive, 12, ({ index, runs: where }) =>
            el(
              "li",
              {},
              link(cut(mutantName(part, index), 130), () => openMutant(system, index), { class: "link name" }),
              el("span", { class: "dim" }, ` on ${where.map((run) => run.major).join(", ")}`),
            ),
          ),
        ]
      : el("p", { class: "good" }, "✓ None is alive without a reason that somebody gave."),
  );
};

// The data that the page was made with, and what is asked of it again and again.

let DATA;

// It is packed: the same names stand in it many times.
const loaded = async () => {
  const { gzip } = JSON.parse(document.getElementById("data").textContent);
  const bytes = Uint8Array.from(atob(gzip), (character) => character.charCodeAt(0));
  const text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  return JSON.parse(text);
};

const VERDICTS = {
  p: { word: "proven", mark: "✓", tone: "good" },
  b: { word: "broken", mark: "✗", tone: "bad" },
  u: { word: "unproven", mark: "?", tone: "warn" },
  n: { word: "not covered", mark: "–", tone: "dim" },
  ".": { word: "not in this run", mark: "·", tone: "dim" },
};
const FATES = {
  k: { word: "killed by proof", tone: "good" },
  d: { word: "killed by drift only", tone: "warn" },
  s: { word: "survived", tone: "bad" },
  e: { word: "equivalent", tone: "dim" },
  i: { word: "impaired", tone: "dim" },
  ".": { word: "not in this run", tone: "dim" },
};
const KEPT = {
  kept: { word: "kept", mark: "✓", tone: "good" },
  broken: { word: "broken", mark: "✗", tone: "bad" },
  empty: { word: "no row to show", mark: "–", tone: "dim" },
};
const CHANGES = {
  worse: { word: "worse", mark: "▲", tone: "bad" },
  better: { word: "better", mark: "▼", tone: "good" },
  same: { word: "same", mark: "=", tone: "dim" },
  new: { word: "new", mark: "+", tone: "dim" },
  gone: { word: "gone", mark: "–", tone: "dim" },
  "not judged": { word: "not judged", mark: "?", tone: "warn" },
};

// A mark with its word: the mark for eyes, the word for everybody who asks.
const badge = ({ word, mark, tone }, shown = false) =>
  el(
    "span",
    { class: `badge ${tone}`, title: word },
    el("span", { "aria-hidden": "true" }, mark),
    shown ? ` ${word}` : heard(word),
  );

const when = (date) => date.slice(0, 16).replace("T", " ");
const runName = (run) => [`PostgreSQL ${run.postgresql}`, run.commit, when(run.date)].filter(Boolean).join(", ");

// The columns to show: the newest run of each major; with `all`, the earlier ones as well.
const columns = (part, all = false) => part.runs.map((run, n) => ({ ...run, n })).filter((run) => all || run.newest);
const columnName = (run, part) => {
  const same = part.runs.filter((other) => other.major === run.major).length > 1;
  return run.newest || !same ? `${run.major}` : `${run.major} before`;
};

const letters = (part, index, runs) => runs.map((run) => part.results[run.n].verdicts[index]).join("");

// The worst of what some runs say.
const worst = (found) =>
  [..."bun."].find((letter) => found.includes(letter) && letter !== ".") ?? (found.includes("p") ? "p" : ".");

// What the newest runs say of each promise: their letters, and the worst of them. Asked for often, found once.
const known = new WeakMap();
const newest = (part) => {
  if (!known.has(part)) {
    const runs = columns(part);
    const found = part.ids.map((_, index) => letters(part, index, runs));
    known.set(part, { runs, found, worst: found.map(worst) });
  }
  return known.get(part);
};

const counted = (part, run) => {
  const found = { p: 0, b: 0, u: 0, n: 0, ".": 0 };
  for (const letter of part.results[run.n].verdicts) found[letter] += 1;
  return found;
};

// Promises that are broken somewhere, by the majors on which they are.
const failures = (part) => {
  const { runs, found: all } = newest(part);
  const groups = new Map();
  all.forEach((found, index) => {
    if (!found.includes("b")) return;
    const key = runs
      .filter((_run, n) => found[n] === "b")
      .map((run) => run.major)
      .join(", ");
    if (!groups.has(key))
      groups.set(key, { key, only: found.replaceAll("b", "").replaceAll(".", "") !== "", found: [] });
    groups.get(key).found.push(index);
  });
  return [...groups.values()].sort((a, b) => b.only - a.only || a.key.localeCompare(b.key));
};

const named = (group) => (group.only ? `fails on ${group.key} only` : "fails on every version");

const scoreOf = (fates) => {
  const alive = [...fates].filter((fate) => "kds".includes(fate)).length;
  const killed = [...fates].filter((fate) => fate === "k").length;
  return { killed, alive, part: alive ? killed / alive : null };
};
const percent = (part) => (part === null ? "–" : `${(100 * part).toFixed(1)} %`);

// What queries.py writes of one size of a query.
const SIZE = [
  "rows",
  "verdict",
  "returned",
  "pages",
  "bound",
  "most",
  "milliseconds",
  "fastest",
  "slowest",
  "parent",
  "problems",
];
const sizesOf = (part, run, index) =>
  (part.results[run.n][index]?.sizes ?? []).map((values) =>
    Object.fromEntries(SIZE.map((name, n) => [name, values[n]])),
  );
const verdictOf = (sizes) => {
  if (!sizes.length) return null;
  return sizes.some((size) => size.verdict === "broken")
    ? "broken"
    : sizes.some((size) => size.verdict === "kept")
      ? "kept"
      : "empty";
};

const unneeded = (part) => part.indexes.filter((index) => !index.needed);

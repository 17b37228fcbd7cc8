// The tables and what refers to what; how far each table's promises are proven, by fill, mark and number.

// How many promises of each table are proven, broken, unproven; partitions count with the table that they are a part of.
const byTable = (part) => {
  const found = new Map(part.picture.boxes.map(([name]) => [name, { p: 0, b: 0, u: 0, n: 0 }]));
  newest(part).worst.forEach((letter, index) => {
    const name = part.tables[part.table[index]];
    const counts = found.get(part.picture.parts[name] ?? name);
    if (counts && letter in counts) counts[letter] += 1;
  });
  return found;
};

const way = (points) => {
  const [start, ...rest] = points;
  let text = `M${start[0]} ${start[1]}`;
  let before = start;
  for (const point of rest) {
    const middle = (before[0] + point[0]) / 2;
    text +=
      point[0] === before[0] || point[1] === before[1]
        ? `L${point[0]} ${point[1]}`
        : `C${middle} ${before[1]} ${middle} ${point[1]} ${point[0]} ${point[1]}`;
    before = point;
  }
  return text;
};

const boxed = (picture, [name, x, y], found, chosen) => {
  const [width, height] = picture.box;
  const all = found.p + found.b + found.u;
  const letter = found.b ? "b" : found.u ? "u" : all ? "p" : ".";
  const told = found.b || found.u ? `${found.p} of ${all}` : `${found.p}`;
  const most = Math.floor((width - 26) / 7);
  const inner = width - 16;
  let at = x + 8;
  const pieces = [
    ["p", "good"],
    ["u", "warn"],
    ["b", "bad"],
  ].map(([key, tone]) => {
    const wide = all ? (inner * found[key]) / all : 0;
    at += wide;
    return wide
      ? svg("rect", { class: `fill ${tone}`, x: at - wide, y: y + height - 9, width: wide, height: 4 })
      : null;
  });
  const label = `${name}: ${found.p} of ${count(all, "promise")} proven${found.b ? `, ${found.b} broken` : ""}${found.u ? `, ${found.u} unproven` : ""}`;
  return svg(
    "a",
    {
      href: "#promises",
      class: `box ${VERDICTS[letter].tone}`,
      "aria-label": label,
      onclick: (event) => {
        event.preventDefault();
        chosen(name);
      },
    },
    svg("title", {}, label),
    svg("rect", { class: "frame", x, y, width, height, rx: 5 }),
    svg(
      "text",
      { class: "table-name", x: x + 8, y: y + 16 },
      name.length > most ? `${name.slice(0, most - 1)}…` : name,
    ),
    svg("text", { class: "told", x: x + 8, y: y + 27.5 }, `${VERDICTS[letter].mark} ${told}`),
    svg("rect", { class: "ground", x: x + 8, y: y + height - 9, width: inner, height: 4 }),
    pieces,
  );
};

const schema = (system, chosen) => {
  const part = system.promises;
  const { picture } = part;
  if (!picture.boxes.length) return null;
  const about = new Map();
  const links = picture.links.map(([from, to, points, told]) => {
    about.set(from, [...(about.get(from) ?? []), to]);
    const drawn = svg(
      "g",
      { class: "link-line" },
      svg("title", {}, `${from} refers to ${to}\n${told}`),
      svg("path", { class: "hit", d: way(points) }),
      svg("path", { d: way(points), "marker-end": "url(#arrow)" }),
    );
    drawn.dataset.from = from;
    drawn.dataset.to = to;
    return drawn;
  });
  const light = (name) =>
    links.forEach((one) => one.classList.toggle("lit", one.dataset.from === name || one.dataset.to === name));
  const counts = byTable(part);
  const boxes = picture.boxes.map((box) => {
    const drawn = boxed(picture, box, counts.get(box[0]), chosen);
    for (const [event, name] of [
      ["pointerenter", box[0]],
      ["focus", box[0]],
      ["pointerleave", null],
      ["blur", null],
    ])
      drawn.addEventListener(event, () => light(name));
    return drawn;
  });
  const margin = 6;
  const drawing = svg(
    "svg",
    {
      class: "er",
      viewBox: `${-margin} ${-margin} ${picture.width + 2 * margin} ${picture.height + 2 * margin}`,
      width: picture.width + 2 * margin,
      height: picture.height + 2 * margin,
      role: "group",
      "aria-label": `Tables of ${system.name} and their foreign keys`,
    },
    svg(
      "defs",
      {},
      svg(
        "marker",
        {
          id: "arrow",
          viewBox: "0 0 8 8",
          refX: 7.5,
          refY: 4,
          markerWidth: 7,
          markerHeight: 7,
          orient: "auto-start-reverse",
        },
        svg("path", { class: "head", d: "M0 0.5L7.5 4L0 7.5z" }),
      ),
    ),
    links,
    boxes,
  );
  // a large one is scrolled rather than made too small to read
  drawing.style.minWidth = `${Math.round(0.7 * picture.width)}px`;
  return el(
    "section",
    { id: "schema", tabindex: "-1" },
    el("h2", {}, "Tables"),
    el(
      "p",
      { class: "dim legends" },
      "A line goes from a table to the one that it refers to. ",
      [
        ["p", "all proven"],
        ["u", "some without evidence"],
        ["b", "some broken"],
      ].map(([letter, text]) =>
        el("span", { class: `legend ${VERDICTS[letter].tone}` }, `${VERDICTS[letter].mark} ${text}`),
      ),
      " A table's promises are a click away.",
    ),
    el(
      "div",
      { class: "scroll er-frame", tabindex: "0", role: "region", "aria-label": "The picture of the tables" },
      drawing,
    ),
    el(
      "details",
      { class: "as-text" },
      el("summary", {}, "The same as text"),
      el(
        "ul",
        { class: "plain columns" },
        picture.boxes.map(([name]) =>
          el(
            "li",
            {},
            el("span", { class: "name" }, name),
            about.has(name) ? ` refers to ${about.get(name).join(", ")}` : "",
          ),
        ),
      ),
    ),
  );
};

// Elements from data. Text becomes text and nothing else: no markup is ever read out of data.

const SVG = "http://www.w3.org/2000/svg";

const filled = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};

const el = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

const button = (text, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, text);
const link = (text, onclick, attributes = {}) => button(text, onclick, { class: "link", ...attributes });
const heard = (text) => el("span", { class: "heard" }, text);

const number = (value) => value.toLocaleString("en");
const count = (value, noun, many = `${noun}s`) => `${number(value)} ${value === 1 ? noun : many}`;
const milliseconds = (value) =>
  value === null ? "–" : `${value >= 100 ? number(Math.round(value)) : Number(value.toPrecision(2))} ms`;

// Narrow screens have no room for headings above: each cell carries its own.
const labelled = (row, headings) => {
  [...row.children].forEach((cell, n) => {
    if (!n || !headings[n]) return;
    cell.setAttribute("data-label", headings[n].text ?? headings[n]);
    if (cell.tagName === "TD" && cell.childNodes.length > 1 && cell.className !== "bar-cell")
      cell.replaceChildren(el("span", {}, ...cell.childNodes));
  });
  return row;
};

const heading = (said) => el("th", { scope: "col", class: said.kind ?? null }, said.text ?? said);
const num = (text) => ({ text, kind: "num" });
const mark = (text) => ({ text, kind: "mark" });

const table = (caption, headings, rows, attributes = {}) =>
  el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      { class: "cards", ...attributes },
      el("caption", { class: "heard" }, caption),
      el("thead", {}, el("tr", {}, headings.map(heading))),
      el(
        "tbody",
        {},
        rows.map((row) => labelled(row, headings)),
      ),
    ),
  );

const option = (value, text, selected = false) => el("option", { value, selected }, text);

let fields = 0;
const field = (label, control) => {
  fields += 1;
  control.id = `field-${fields}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control);
};

const select = (label, options, value, changed) => {
  const control = el(
    "select",
    { onchange: () => changed(control.value) },
    options.map(([v, t]) => option(v, t, v === value)),
  );
  return field(label, control);
};

// A list that begins short.
const shortened = (items, most, drawn, wrap = (children) => el("ul", { class: "plain" }, children)) => {
  const list = wrap(items.slice(0, most).map(drawn));
  if (items.length <= most) return list;
  const more = button(
    `Show ${number(items.length - most)} more`,
    () => {
      list.append(...items.slice(most).map(drawn));
      more.remove();
    },
    { class: "more" },
  );
  return el("div", {}, list, more);
};

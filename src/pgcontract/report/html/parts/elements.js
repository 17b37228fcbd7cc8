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
const milliseconds = (value) => (value === null ? "–" : `${value >= 100 ? number(Math.round(value)) : Number(value.toPrecision(2))} ms`);

const table = (caption, headings, rows, attributes = {}) =>
  el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      attributes,
      el("caption", { class: "heard" }, caption),
      el("thead", {}, el("tr", {}, headings.map((h) => (h instanceof Node ? h : el("th", { scope: "col" }, h))))),
      el("tbody", {}, rows),
    ),
  );

const option = (value, text, selected = false) => el("option", { value, selected }, text);

const field = (label, control) => el("label", { class: "field" }, el("span", {}, label), control);

const select = (label, options, value, changed) => {
  const control = el("select", { onchange: () => changed(control.value) }, options.map(([v, t]) => option(v, t, v === value)));
  return field(label, control);
};

// A list that begins short.
const shortened = (items, most, drawn, wrap = (children) => el("ul", { class: "plain" }, children)) => {
  const list = wrap(items.slice(0, most).map(drawn));
  if (items.length <= most) return list;
  const more = button(`Show ${number(items.length - most)} more`, () => {
    list.append(...items.slice(most).map(drawn));
    more.remove();
  }, { class: "more" });
  return el("div", {}, list, more);
};

// Small pictures, drawn by hand: bars, and lines on logarithmic axes. No colour is alone: shapes and dashes say the same.

const bar = (parts, label) => {
  const total = parts.reduce((sum, part) => sum + part.value, 0) || 1;
  let x = 0;
  return svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "ground", x: 0, y: 0, width: 100, height: 8 }),
    parts
      .filter((part) => part.value)
      .map((part) => {
        const width = (100 * part.value) / total;
        x += width;
        return svg(
          "rect",
          { class: `fill ${part.tone}`, x: x - width, y: 0, width, height: 8 },
          svg("title", {}, `${part.word}: ${number(part.value)}`),
        );
      }),
  );
};

// How much of what is allowed was taken.
const gauge = (value, most, broken, label) => {
  const scale = Math.max(value, most) || 1;
  return svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "ground", x: 0, y: 0, width: 100, height: 8 }),
    svg("rect", { class: `fill ${broken ? "bad" : "good"}`, x: 0, y: 0, width: (100 * value) / scale, height: 8 }),
    svg("rect", { class: "limit", x: Math.min((100 * most) / scale, 99), y: 0, width: 1, height: 8 }),
  );
};

const MARKERS = [
  (x, y) => svg("circle", { cx: x, cy: y, r: 3.5 }),
  (x, y) => svg("rect", { x: x - 3.2, y: y - 3.2, width: 6.4, height: 6.4 }),
  (x, y) => svg("path", { d: `M${x} ${y - 4.2}l4.2 7.4h-8.4z` }),
  (x, y) => svg("path", { d: `M${x} ${y - 4.6}l4.6 4.6l-4.6 4.6l-4.6 -4.6z` }),
];

// Powers of ten; where fewer than three fit in, what lies between them as well.
const ticksOf = (low, high) => {
  const powers = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1)
    powers.push(10 ** power);
  const within = (steps) =>
    powers.flatMap((power) => steps.map((step) => step * power)).filter((tick) => tick >= low && tick <= high);
  return [[1], [1, 3], [1, 2, 5]].map(within).find((ticks) => ticks.length > 2) ?? within([1, 1.5, 2, 3, 4, 5, 6, 8]);
};
const short = (value) =>
  value >= 1e6 ? `${value / 1e6}M` : value >= 1000 ? `${value / 1000}k` : `${Number(value.toPrecision(3))}`;

// `series`: name, points of [x, y, low, high], and `plain` for a line without marks, as a limit is.
const lines = ({ title, xLabel, yLabel, series }) => {
  const shown = series.filter((one) => one.points.length);
  const xs = shown.flatMap((one) => one.points.map((p) => p[0]));
  const ys = shown.flatMap((one) => one.points.flatMap((p) => [p[1], p[2], p[3]])).filter((y) => y > 0);
  if (!xs.length || !ys.length) return null;
  const [width, height, left, right, top, bottom] = [440, 230, 46, 64, 12, 36];
  const edges = (values) => [Math.min(...values) / 1.25, Math.max(...values) * 1.25];
  const [[x0, x1], [y0, y1]] = [edges(xs), edges(ys)];
  const at = (value, low, high, from, to) =>
    from + ((Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (to - from);
  const x = (value) => at(value, x0, x1, left, width - right);
  const y = (value) => at(Math.max(value, y0), y0, y1, height - bottom, top);
  const yTicks = ticksOf(y0, y1);
  const xTicks = [...new Set(xs)].sort((a, b) => a - b);
  // direct labels at the ends of lines, pushed apart where they would touch
  const ends = shown.map((one) => ({ one, y: y(one.points.at(-1)[1]) })).sort((a, b) => a.y - b.y);
  ends.forEach((end, n) => {
    if (n) end.y = Math.max(end.y, ends[n - 1].y + 13);
  });
  const last = ends.at(-1)?.y ?? 0;
  const up = Math.max(0, last - (height - bottom));
  let counter = -1;
  return el(
    "figure",
    { class: "chart" },
    el("figcaption", {}, title),
    svg(
      "svg",
      {
        viewBox: `0 0 ${width} ${height}`,
        role: "img",
        "aria-label": `${title}. The numbers are in the table beside it.`,
      },
      yTicks.map((tick) => [
        svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
        svg("text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick)),
      ]),
      xTicks.map((tick) => [
        svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: height - bottom }),
        svg("text", { class: "tick", x: x(tick), y: height - bottom + 15, "text-anchor": "middle" }, short(tick)),
      ]),
      svg("text", { class: "tick", x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, xLabel),
      svg(
        "text",
        { class: "tick", x: -(top + height - bottom) / 2, y: 11, transform: "rotate(-90)", "text-anchor": "middle" },
        yLabel,
      ),
      shown.map((one) => {
        const way = one.points.map((p, n) => `${n ? "L" : "M"}${x(p[0])} ${y(p[1])}`).join("");
        const end = ends.find((e) => e.one === one);
        const n = one.plain ? null : (counter += 1) % MARKERS.length;
        return svg(
          "g",
          { class: one.plain ? "series plain" : `series s${n}` },
          svg("path", { class: "way", d: way }),
          one.points
            .filter((p) => p[2] > 0 && p[3] > p[2])
            .map((p) =>
              svg("path", {
                class: "whisker",
                d: `M${x(p[0])} ${y(p[2])}V${y(p[3])}m-3 0h6M${x(p[0]) - 3} ${y(p[2])}h6`,
              }),
            ),
          one.plain ? null : one.points.map((p) => MARKERS[n](x(p[0]), y(p[1]))),
          svg("text", { class: "label", x: width - right + 8, y: end.y - up + 4 }, one.name),
        );
      }),
    ),
  );
};

// A ratio with its interval on a logarithmic axis around 1.
const forest = (items) => {
  const far = Math.max(
    1.25,
    ...items.flatMap((item) => [item.high, 1 / item.low, item.floor].filter((v) => v > 0 && Number.isFinite(v))),
  );
  const x = (value) => 100 + (95 * Math.log(Math.min(Math.max(value, 1 / far), far))) / Math.log(far);
  return (item) =>
    item.ratio === null
      ? null
      : svg(
          "svg",
          {
            class: "forest",
            viewBox: "0 0 200 16",
            role: "img",
            "aria-label": `${item.ratio.toFixed(2)}, between ${item.low.toFixed(2)} and ${item.high.toFixed(2)}`,
          },
          svg("rect", {
            class: "floor",
            x: x(1 / item.floor),
            y: 0,
            width: x(item.floor) - x(1 / item.floor),
            height: 16,
          }),
          svg("line", { class: "grid", x1: 100, x2: 100, y1: 0, y2: 16 }),
          svg("line", {
            class: `interval ${CHANGES[item.verdict].tone}`,
            x1: x(item.low),
            x2: x(item.high),
            y1: 8,
            y2: 8,
          }),
          svg("circle", { class: `fill ${CHANGES[item.verdict].tone}`, cx: x(item.ratio), cy: 8, r: 3.5 }),
        );
};

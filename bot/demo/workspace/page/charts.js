/** The data_visualization block as SVG, with its figures beside it for those who do not see the picture. */

import { h, svg } from "./dom.js";

const HEIGHT = 220;
const MARGIN = { top: 10, right: 12, bottom: 30 };
const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 });

/** The figure: title, picture, legend, and a table of the figures that unfolds. */
export function chartBlock(block) {
  const chart = block.chart ?? {};
  const drawing = DRAWINGS[chart.type];
  if (!drawing) return h("div", { class: "block unknown" }, `A chart of type “${chart.type}” is not drawn here.`);
  const canvas = h("div", { class: "chart-canvas" });
  redrawOnResize(canvas, (width) => canvas.replaceChildren(picture(block, width)));
  return h(
    "figure",
    { class: "block chart" },
    h("figcaption", { class: "chart-title" }, block.title),
    canvas,
    legend(chart),
    h("details", { class: "chart-figures" }, h("summary", {}, "Figures"), figures(block)),
  );
}

function redrawOnResize(element, draw) {
  let drawn = 0;
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.floor(contentRect.width);
    if (width > 0 && width !== drawn) draw((drawn = width));
  }).observe(element);
}

function picture(block, width) {
  const image = DRAWINGS[block.chart.type](block.chart, width);
  image.setAttribute("role", "img");
  image.setAttribute("aria-label", describe(block));
  return image;
}

/** The chart in a sentence: what a screen reader says before the table. */
function describe({ title, chart }) {
  if (chart.type === "pie") {
    const total = sum(chart.segments ?? []);
    const parts = (chart.segments ?? []).map((part) => `${part.label} ${number.format(part.value)} (${percent(part.value, total)})`);
    return `Pie chart: ${title}. ${parts.join(", ")}.`;
  }
  const lines = (chart.series ?? []).map(({ name, data = [] }) => {
    const values = data.map((point) => point.value);
    return `${name}: from ${number.format(Math.min(...values))} to ${number.format(Math.max(...values))}, last ${number.format(values.at(-1))}`;
  });
  return `${chart.type[0].toUpperCase()}${chart.type.slice(1)} chart: ${title}. ${lines.join(". ")}.`;
}

const sum = (parts) => parts.reduce((total, part) => total + part.value, 0);
const percent = (value, total) => `${Math.round((100 * value) / (total || 1))}%`;
const colour = (index) => `var(--chart-${(index % 6) + 1})`;

// ── Legend and figures ──────────────────────────────────────────────────────

function legend(chart) {
  const total = sum(chart.segments ?? []);
  const names =
    chart.type === "pie"
      ? (chart.segments ?? []).map((part) => `${part.label} · ${percent(part.value, total)}`)
      : (chart.series ?? []).map((series) => series.name);
  const key = (index) =>
    svg("svg", { viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true" }, sign(chart.type, index, 0, 0, 5));
  return h("ul", { class: "chart-legend" }, names.map((name, index) => h("li", {}, key(index), h("span", {}, name))));
}

/** A series' sign: its colour and, on lines, its shape, since colour alone tells some readers nothing. */
function sign(type, index, x, y, size) {
  if (type !== "line" && type !== "area") {
    return svg("rect", { x: x - size, y: y - size, width: 2 * size, height: 2 * size, rx: 2, fill: colour(index) });
  }
  const shapes = [
    () => svg("circle", { cx: x, cy: y, r: size * 0.8 }),
    () => svg("rect", { x: x - size * 0.7, y: y - size * 0.7, width: size * 1.4, height: size * 1.4 }),
    () => svg("path", { d: `M${x} ${y - size}L${x + size} ${y + size * 0.8}H${x - size}z` }),
    () => svg("path", { d: `M${x} ${y - size}L${x + size} ${y}L${x} ${y + size}L${x - size} ${y}z` }),
    () => svg("path", { d: `M${x} ${y + size}L${x + size} ${y - size * 0.8}H${x - size}z` }),
    () => svg("ellipse", { cx: x, cy: y, rx: size, ry: size * 0.5 }),
  ];
  const shape = shapes[index % shapes.length]();
  shape.setAttribute("fill", colour(index));
  return shape;
}

function figures({ title, chart }) {
  const head = (...names) => h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name))));
  const row = (name, values) => h("tr", {}, h("th", { scope: "row" }, name), values.map((value) => h("td", { class: "number" }, value)));
  const frame = (...parts) =>
    h("div", { class: "table-frame", tabindex: "0", role: "group", "aria-label": `Figures of ${title}` }, h("table", {}, parts));
  if (chart.type === "pie") {
    const total = sum(chart.segments ?? []);
    const rows = (chart.segments ?? []).map((part) => row(part.label, [number.format(part.value), percent(part.value, total)]));
    return frame(head("Part", "Value", "Share"), h("tbody", {}, rows));
  }
  const series = chart.series ?? [];
  const rows = categories(chart).map((name, index) => row(name, series.map((item) => format(valueAt(item, name, index)))));
  return frame(head(chart.axis_config?.x_label ?? "", ...series.map((item) => item.name)), h("tbody", {}, rows));
}

const format = (value) => (value === undefined ? "–" : number.format(value));

// ── Axes ────────────────────────────────────────────────────────────────────

const categories = (chart) => chart.axis_config?.categories ?? (chart.series?.[0]?.data ?? []).map((point) => point.label);
const valueAt = (series, name, index) => ((series.data ?? []).find((point) => point.label === name) ?? series.data?.[index])?.value;

/** Round steps between the smallest and the largest value; bars and areas start at zero, lines near their values. */
function ticks(values, fromZero) {
  let low = Math.min(...values), high = Math.max(...values);
  if (fromZero || low < (high - low) * 1.5) low = Math.min(low, 0);
  if (low === high) high = low + 1;
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  const first = Math.floor(low / step), last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

function plane(chart, width) {
  const names = categories(chart);
  const values = (chart.series ?? []).flatMap((series) => (series.data ?? []).map((point) => point.value));
  const steps = ticks(values.length ? values : [0], chart.type !== "line");
  const labels = steps.map((step) => short.format(step));
  const yLabel = chart.axis_config?.y_label, xLabel = chart.axis_config?.x_label;
  const left = 12 + 6.5 * Math.max(...labels.map((label) => label.length)) + (yLabel ? 16 : 0);
  const bottom = HEIGHT - MARGIN.bottom - (xLabel ? 14 : 0);
  const right = width - MARGIN.right;
  const y = (value) => bottom - ((value - steps[0]) / (steps.at(-1) - steps[0])) * (bottom - MARGIN.top);
  const slot = (right - left) / Math.max(names.length, 1);
  const x = (index) => left + slot * (index + 0.5);
  const grid = steps.flatMap((step, index) => [
    svg("line", { x1: left, x2: right, y1: y(step), y2: y(step), class: step === 0 ? "axis" : "grid" }),
    svg("text", { x: left - 6, y: y(step) + 4, "text-anchor": "end" }, labels[index]),
  ]);
  const titles = [
    xLabel && svg("text", { x: (left + right) / 2, y: HEIGHT - 4, "text-anchor": "middle", class: "axis-title" }, xLabel),
    yLabel && svg("text", { transform: `translate(11 ${(MARGIN.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "axis-title" }, yLabel),
  ];
  return { names, x, y, slot, base: y(Math.max(steps[0], Math.min(0, steps.at(-1)))), parts: [grid, xLabels(names, x, slot, bottom), titles] };
}

/** As many labels as have room; the rest stand in the table. */
function xLabels(names, x, slot, bottom) {
  const widest = 6.3 * Math.max(...names.map((name) => name.length), 1) + 8;
  const every = Math.max(1, Math.ceil(widest / slot));
  return names.map((name, index) =>
    index % every ? null : svg("text", { x: x(index), y: bottom + 17, "text-anchor": "middle" }, name),
  );
}

const canvasOf = (width, ...parts) => svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT }, parts);
const tip = (series, name, value) => svg("title", {}, `${series.name}, ${name}: ${number.format(value)}`);

// ── Drawings ────────────────────────────────────────────────────────────────

const DRAWINGS = {
  line: (chart, width) => curves(chart, width, false),
  area: (chart, width) => curves(chart, width, true),
  bar: bars,
  pie,
};

function curves(chart, width, filled) {
  const { names, x, y, base, parts } = plane(chart, width);
  const drawn = (chart.series ?? []).map((series, index) => {
    const points = names
      .map((name, place) => ({ name, place, value: valueAt(series, name, place) }))
      .filter(({ value }) => value !== undefined);
    if (!points.length) return null;
    const path = points.map(({ place, value }, step) => `${step ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    const area = `${path}L${x(points.at(-1).place)} ${base}L${x(points[0].place)} ${base}z`;
    const dots = points.map(({ name, place, value }) => {
      const dot = sign("line", index, x(place), y(value), 4);
      dot.append(tip(series, name, value));
      return dot;
    });
    return [
      filled && svg("path", { d: area, fill: colour(index), opacity: 0.22 }),
      svg("path", { d: path, fill: "none", stroke: colour(index), "stroke-width": 2, "stroke-linejoin": "round" }),
      dots,
    ];
  });
  return canvasOf(width, parts, drawn);
}

function bars(chart, width) {
  const { names, x, y, slot, base, parts } = plane(chart, width);
  const series = chart.series ?? [];
  const group = Math.min(slot * 0.72, 56 * series.length);
  const each = group / Math.max(series.length, 1);
  const drawn = names.flatMap((name, place) =>
    series.map((item, index) => {
      const value = valueAt(item, name, place);
      if (!value) return null;
      const top = Math.min(y(value), base);
      const height = Math.max(Math.abs(base - y(value)), 1);
      const left = x(place) - group / 2 + each * index;
      return svg("rect", { x: left + 0.5, y: top, width: Math.max(each - 1, 1), height, rx: Math.min(3, each / 4), fill: colour(index) }, tip(item, name, value));
    }),
  );
  return canvasOf(width, parts, drawn);
}

function pie(chart, width) {
  const parts = (chart.segments ?? []).filter((part) => part.value > 0);
  const total = sum(parts);
  const radius = HEIGHT / 2 - 12;
  const [cx, cy] = [Math.min(width / 2, radius + 20), HEIGHT / 2];
  const at = (turn) => `${(cx + radius * Math.sin(2 * Math.PI * turn)).toFixed(2)} ${(cy - radius * Math.cos(2 * Math.PI * turn)).toFixed(2)}`;
  let turn = 0;
  const slices = (chart.segments ?? []).map((part, index) => {
    if (part.value <= 0) return null;
    const share = part.value / total;
    const label = svg("title", {}, `${part.label}: ${number.format(part.value)} (${percent(part.value, total)})`);
    if (share === 1) return svg("circle", { cx, cy, r: radius, fill: colour(index) }, label);
    const path = `M${cx} ${cy}L${at(turn)}A${radius} ${radius} 0 ${share > 0.5 ? 1 : 0} 1 ${at(turn + share)}z`;
    turn += share;
    return svg("path", { d: path, fill: colour(index), class: "slice" }, label);
  });
  return canvasOf(width, slices);
}

/** The markdown block: the part of Markdown that Slack draws. */

import { h, outsideLink } from "./dom.js";
import { withShortcodes } from "./emoji.js";

const ITEM = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const ROW = /^\s*\|.*\|\s*$/;

const READERS = [
  { starts: /^\s*```/, read: fence },
  { starts: /^#{1,6}\s+/, read: heading },
  { starts: /^\s*(?:-{3,}|\*{3,}|_{3,})\s*$/, read: (source) => (source.shift(), h("hr")) },
  { starts: /^\s*>/, read: quote },
  { starts: ITEM, read: list },
  { starts: ROW, read: table },
];

export function markdown(text) {
  const source = text.split("\n");
  const out = [];
  while (source.length) {
    if (!source[0].trim()) source.shift();
    else out.push((READERS.find(({ starts }) => starts.test(source[0]))?.read ?? paragraph)(source));
  }
  return h("div", { class: "block markdown" }, out);
}

/** Take lines while they please. */
function takeWhile(source, pleases) {
  const taken = [];
  while (source.length && pleases(source[0])) taken.push(source.shift());
  return taken;
}

function fence(source) {
  source.shift();
  const body = takeWhile(source, (line) => !/^\s*```/.test(line));
  source.shift();
  return h("pre", { class: "code-block" }, body.join("\n"));
}

function heading(source) {
  const [, signs, words] = /^(#+)\s+(.*?)\s*#*$/.exec(source.shift());
  return h("p", { class: `markdown-heading level-${signs.length}`, role: "heading", "aria-level": signs.length + 1 }, inline(words));
}

function quote(source) {
  const body = takeWhile(source, (line) => /^\s*>/.test(line)).map((line) => line.replace(/^\s*> ?/, ""));
  return h("blockquote", {}, withBreaks(body));
}

function paragraph(source) {
  const first = source.shift();
  const rest = takeWhile(source, (line) => line.trim() && !READERS.some(({ starts }) => starts.test(line)));
  return h("p", {}, withBreaks([first, ...rest]));
}

function list(source) {
  const [, margin, number] = ITEM.exec(source[0]);
  const items = [];
  while (source.length) {
    const match = ITEM.exec(source[0]);
    if (!match || match[1].length < margin.length) break;
    if (match[1].length > margin.length && items.length) items.at(-1).append(list(source));
    else {
      source.shift();
      items.push(h("li", {}, inline(match[3])));
    }
  }
  return h(number ? "ol" : "ul", { start: number || null }, items);
}

function table(source) {
  const cells = (line) => line.trim().slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim());
  const [head, ...rows] = takeWhile(source, (line) => ROW.test(line)).filter((line) => !/^[\s|:-]+$/.test(line)).map(cells);
  return h(
    "div",
    { class: "table-frame", tabindex: "0", role: "group", "aria-label": "Table" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, (head ?? []).map((cell) => h("th", { scope: "col" }, inline(cell))))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, inline(cell)))))),
    ),
  );
}

const withBreaks = (body) => body.flatMap((line, index) => [index > 0 && h("br"), ...inline(line)]).filter(Boolean);

const INLINE = [
  [/`([^`]+)`/, (match) => h("code", {}, match[1])],
  [/\[([^\]]+)\]\(([^)\s]+)\)/, (match) => outsideLink(match[2], inline(match[1]))],
  [/\*\*(.+?)\*\*|__(.+?)__/, (match) => h("strong", {}, inline(match[1] ?? match[2]))],
  [/~~(.+?)~~/, (match) => h("s", {}, inline(match[1]))],
  [/\*([^*\s](?:[^*]*[^*\s])?)\*|(?<![\p{L}\p{N}])_([^_]+)_(?![\p{L}\p{N}])/u, (match) => h("em", {}, inline(match[1] ?? match[2]))],
  [/https?:\/\/[^\s<>]+[^\s<>.,;:!?'")\]]/, (match) => outsideLink(match[0], match[0])],
];

function inline(text) {
  let best = null;
  for (const [pattern, draw] of INLINE) {
    const match = pattern.exec(text);
    if (match && (!best || match.index < best.match.index)) best = { match, draw };
  }
  if (!best) return withShortcodes(text.replace(/\\([\\`*_{}[\]()#+\-.!|>~])/g, "$1"));
  const { match, draw } = best;
  return [...withShortcodes(text.slice(0, match.index)), draw(match), ...inline(text.slice(match.index + match[0].length))];
}

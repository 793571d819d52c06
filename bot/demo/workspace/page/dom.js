/** Building elements. Outside text enters the page only here, and only as text nodes. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. `props` takes attributes, `class`, `on: {event: listener}`, `data: {key: value}`,
 * `style: {property: value}` and `prop: {domProperty: value}`; null, undefined and false leave an attribute out.
 */
export function h(tag, props = {}, ...children) {
  return furnish(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), props, children);
}

function furnish(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") for (const [key, item] of Object.entries(value)) element.style.setProperty(key, item);
    else if (name === "prop") Object.assign(element, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** Append nodes and strings, however nested; empty values are left out. */
export function append(parent, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return parent;
}

/** Make `parent` hold exactly `wanted`, touching only what differs, so that focus and selection survive. */
export function reconcile(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.childNodes]) if (!keep.has(child)) child.remove();
  wanted.forEach((node, index) => {
    if (parent.childNodes[index] !== node) parent.insertBefore(node, parent.childNodes[index] ?? null);
  });
}

/** The address when a link may lead there (http, https, mailto), else null. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** A link out of the page, or its plain content when the address is not one we follow. */
export function outsideLink(address, content, props = {}) {
  const href = safeUrl(address);
  if (!href) return h("span", {}, content);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", ...props }, content);
}

let lastId = 0;

/** An id no other element has. */
export function freshId(prefix = "id") {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

const ICONS = {
  hash: "M8 3 6 17M14 3l-2 14M3.5 7.5h13M3 12.5h13",
  lock: "M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  close: "m5 5 10 10M15 5 5 15",
  reply: "M3 4.5h14v9H9l-4 3.5v-3.5H3z",
  send: "M3.5 10h6M3.5 10 2.5 3.5 17.5 10 2.5 16.5z",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  down: "M10 4v12m-5-5 5 5 5-5",
  chevron: "m6 8 4 4 4-4",
  back: "M12.5 4 6.5 10l6 6",
  braces: "M7.5 3.5C5.5 3.5 6.5 9 4 10c2.5 1 1.5 6.5 3.5 6.500M12.5 3.500c2 0 1 5.5 3.5 6.5-2.5 1-1.5 6.5-3.5 6.5",
  archive: "M3 4h14v3.500H3zM4.5 7.500v8.500h11V7.500M8 10.500h4",
  pin: "M7 3h6M8 3v5l-2.500 3.500h9L12 8V3M10 11.500V17",
  eye: "M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM10 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  flask: "M8 3h4M8.5 3v5L4 15.500c-.5 1 0 1.5 1 1.500h10c1 0 1.5-.5 1-1.500L11.5 8V3M6 12.500h8",
  sun: "M10 13.500a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM10 2v1.500M10 16.500V18M2 10h1.500M16.5 10H18M4.3 4.300l1.1 1.100M14.6 14.600l1.1 1.100M4.3 15.700l1.1-1.100M14.6 5.400l1.1-1.1",
  moon: "M16.5 12.500A7 7 0 0 1 7.5 3.500a7 7 0 1 0 9 9z",
  auto: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  slash: "M13 3 7 17",
  at: "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0v1.200c0 2.3 4 2.3 4-1.200a7 7 0 1 0-2.8 5.6",
  warn: "M10 3 18 17H2zM10 8v4M10 14.500v.01",
  file: "M5 2.500h7l3.5 3.500v11.500H5zM12 2.500V6h3.5",
  check: "m4 10.5 4 4 8-9",
};

/** A line icon, hidden from screen readers: its button carries the words. */
export function icon(name, size = 18) {
  const filled = name === "auto" ? svg("path", { d: "M10 3a7 7 0 0 0 0 14z", fill: "currentColor" }) : null;
  return svg(
    "svg",
    { viewBox: "0 0 20 20", width: size, height: size, class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: ICONS[name] }),
    filled,
  );
}

/** The bell of the app's avatar and of the page. */
export function bell(size = 20) {
  return svg(
    "svg",
    { viewBox: "0 0 20 20", width: size, height: size, "aria-hidden": "true", focusable: "false" },
    svg("path", {
      d: "M10 2.200a1.3 1.3 0 0 1 1.3 1.300v.3c2.4.6 3.9 2.6 3.9 5.1 0 3 .8 4.3 2 5.300v.8H2.800v-.8c1.2-1 2-2.3 2-5.3 0-2.5 1.5-4.5 3.9-5.100v-.3A1.3 1.3 0 0 1 10 2.200zM8 16.200h4a2 2 0 0 1-4 0z",
      fill: "currentColor",
    }),
  );
}

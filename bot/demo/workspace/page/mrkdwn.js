/** Slack's mrkdwn and plain_text, as nodes. https://docs.slack.dev/messaging/formatting-message-text/ */

import { h, outsideLink } from "./dom.js";
import { withEmoji, withShortcodes, emoji } from "./emoji.js";
import { broadcastMention, channelMention, groupMention, userMention } from "./mentions.js";
import { formatDate, fullMoment, moment } from "./time.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const STYLES = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;
const LINK = /^https?:\/\/[^\s<>|]+[^\s<>|.,;:!?'")\]}]/;
const SHORTCODE = /^:([a-z0-9_+'-]+(?:::skin-tone-\d)?):/;

/** Undo the three escapes Slack knows; anything else stays literal. */
export const decode = (text) => text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);

/** The nodes of a text object, plain_text or mrkdwn. */
export function textObject(text, workspace) {
  if (!text) return [];
  if (typeof text === "string") return mrkdwn(text, workspace);
  if (text.type === "plain_text") return plainText(text.text ?? "", text.emoji !== false);
  return mrkdwn(text.text ?? "", workspace, { links: text.verbatim !== true });
}

/** Unformatted text with its line breaks. */
export function plainText(text, shortcodes = true) {
  return lines(decode(text), (line) => (shortcodes ? withShortcodes(line) : withEmoji(line)));
}

function lines(text, draw) {
  return text.split("\n").flatMap((line, index) => [index > 0 && h("br"), ...draw(line)]).filter(Boolean);
}

/** Formatted text: fenced code, quotes, and lines of styled words. */
export function mrkdwn(text, workspace, options = {}) {
  const context = { workspace, links: options.links !== false };
  return text.split(/```\n?([\s\S]+?)\n?```\n?/).flatMap((part, index) => {
    if (index % 2) return [h("pre", { class: "code-block" }, decode(bareEntities(part)))];
    return paragraphs(part, context);
  });
}

const isQuote = (line) => /^(?:&gt;|>)/.test(line);

function paragraphs(text, context) {
  if (!text) return [];
  const out = [];
  let run = [];
  let quoting = false;
  const flush = () => {
    if (run.length) out.push(quoting ? h("blockquote", {}, inlineLines(run, context)) : inlineLines(run, context));
    run = [];
  };
  for (const line of text.replace(/\n$/, "").split("\n")) {
    if (isQuote(line) !== quoting) {
      flush();
      quoting = !quoting;
    }
    run.push(quoting ? line.replace(/^(?:&gt;|>) ?/, "") : line);
  }
  flush();
  return out.flat();
}

// Styles end with their line, so every line is read on its own.
function inlineLines(run, context) {
  return run.flatMap((line, index) => [index > 0 && h("br"), ...inline(line, context)]).filter(Boolean);
}

/** One line: find the earliest thing that is not plain text, draw it, go on behind it. */
function inline(text, context) {
  const out = [];
  let plain = "";
  let at = 0;
  while (at < text.length) {
    const found = special(text, at, context);
    if (found) {
      out.push(...withEmoji(decode(plain)), ...[found.node].flat());
      plain = "";
      at = found.end;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  return [...out, ...withEmoji(decode(plain))];
}

function special(text, at, context) {
  const sign = text[at];
  if (sign === "`") return code(text, at);
  if (sign === "<") return angle(text, at, context);
  if (sign in STYLES) return styled(text, at, context);
  if (sign === ":") return shortcode(text, at);
  if (sign === "h" && context.links && !WORD.test(text[at - 1] ?? " ")) return rawLink(text, at);
  return null;
}

function code(text, at) {
  const end = text.indexOf("`", at + 1);
  if (end <= at + 1) return null;
  return { node: h("code", {}, decode(bareEntities(text.slice(at + 1, end)))), end: end + 1 };
}

/** Inside code an entity shows as what it names. */
function bareEntities(text) {
  return text.replace(/<(https?:[^|>]+|mailto:[^|>]+)(?:\|([^>]*))?>/g, (_, address, label) => label || address);
}

function styled(text, at, context) {
  const sign = text[at];
  const next = text[at + 1];
  if (WORD.test(text[at - 1] ?? " ") || !next || /\s/.test(next) || next === sign) return null;
  for (let end = text.indexOf(sign, at + 2); end > 0; end = text.indexOf(sign, end + 1)) {
    if (/\s/.test(text[end - 1]) || WORD.test(text[end + 1] ?? " ") || insideOther(text, at, end)) continue;
    return { node: h(STYLES[sign], {}, inline(text.slice(at + 1, end), context)), end: end + 1 };
  }
  return null;
}

/** A closing sign within `code` or <an entity> closes nothing. */
function insideOther(text, from, to) {
  const between = text.slice(from, to);
  const ticks = between.split("`").length - 1;
  return ticks % 2 === 1 || between.lastIndexOf("<") > between.lastIndexOf(">");
}

function shortcode(text, at) {
  const match = SHORTCODE.exec(text.slice(at));
  const node = match && emoji(match[1]);
  return node ? { node, end: at + match[0].length } : null;
}

function rawLink(text, at) {
  const match = LINK.exec(text.slice(at));
  if (!match) return null;
  const address = decode(match[0]);
  return { node: outsideLink(address, address), end: at + match[0].length };
}

function angle(text, at, context) {
  const end = text.indexOf(">", at);
  if (end <= at + 1) return null;
  const node = entity(text.slice(at + 1, end), context);
  return node ? { node, end: end + 1 } : null;
}

function entity(inside, context) {
  const bar = inside.indexOf("|");
  const target = bar < 0 ? inside : inside.slice(0, bar);
  const label = bar < 0 ? "" : inside.slice(bar + 1);
  const { workspace } = context;
  if (/^@[UWB]/.test(target)) return userMention(target.slice(1), workspace, "");
  if (/^#[CG]/.test(target)) return channelMention(target.slice(1), workspace, decode(label));
  if (target.startsWith("!")) return command(target.slice(1), decode(label), workspace);
  if (/^(https?|mailto):/.test(target)) {
    const address = decode(target);
    return outsideLink(address, label ? inline(label, { ...context, links: false }) : address.replace(/^mailto:/, ""));
  }
  return null;
}

function command(inside, label, workspace) {
  if (/^(here|channel|everyone)$/.test(inside)) return broadcastMention(inside);
  if (inside.startsWith("subteam^")) return groupMention(inside.slice(8), workspace, label);
  if (inside.startsWith("date^")) return dateEntity(inside.split("^"), label);
  return h("span", {}, label ? `<${label}>` : `<${inside}>`);
}

/** `date^unix^format^link`, the fallback after the bar (some write it as the last part). */
function dateEntity([, unix, format = "{date}", link], fallback) {
  const address = link && /^https?:/.test(link) ? decode(link) : null;
  return dateNode(unix, decode(format), fallback || (address ? "" : link), address);
}

/** A moment in the reader's zone, the whole of it in the tooltip. */
export function dateNode(unix, format, fallback, address) {
  const date = moment(unix);
  if (Number.isNaN(date.getTime())) return h("span", {}, fallback || String(unix));
  const node = h("time", { datetime: date.toISOString(), title: fullMoment(date) }, formatDate(date, format));
  return address ? outsideLink(address, node) : node;
}

/** What a screen reader or a one-line preview says of a message's text. */
export function plainSummary(text, workspace, limit = 240) {
  const holder = h("span", {}, mrkdwn(text ?? "", workspace));
  for (const picture of holder.querySelectorAll(".emoji")) picture.replaceWith(picture.title);
  for (const line of holder.querySelectorAll("br")) line.replaceWith(" ");
  const whole = holder.textContent.trim().replace(/\s+/g, " ");
  return whole.length > limit ? `${whole.slice(0, limit - 1)}…` : whole;
}

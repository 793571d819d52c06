/** The rich_text block. https://docs.slack.dev/reference/block-kit/blocks/rich-text-block */

import { h, outsideLink } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";
import { broadcastMention, channelMention, groupMention, userMention } from "./mentions.js";
import { dateNode } from "./mrkdwn.js";

const PARTS = {
  rich_text_section: (part, workspace) => h("div", { class: "rich-section" }, inlines(part.elements, workspace)),
  rich_text_preformatted: (part, workspace) => h("pre", { class: "code-block" }, inlines(part.elements, workspace)),
  rich_text_quote: (part, workspace) => h("blockquote", {}, inlines(part.elements, workspace)),
  rich_text_list: list,
};

export function richText(block, workspace) {
  const parts = (block.elements ?? []).map((part) => PARTS[part.type]?.(part, workspace) ?? unknown(part.type));
  return h("div", { class: "block rich-text" }, parts);
}

function list(part, workspace) {
  const ordered = part.style === "ordered";
  const indent = Math.min(part.indent ?? 0, 8);
  const items = (part.elements ?? []).map((item) => h("li", {}, inlines(item.elements, workspace)));
  return h(
    ordered ? "ol" : "ul",
    { class: `rich-list level-${indent % 3}`, start: ordered ? (part.offset ?? 0) + 1 : null, style: { "--indent": indent } },
    items,
  );
}

const INLINES = {
  text: (item) => breaks(item.text ?? ""),
  link: (item) => outsideLink(item.url, item.text || item.url),
  emoji: (item) => emoji(item.name) ?? `:${item.name}:`,
  user: (item, workspace) => userMention(item.user_id, workspace),
  usergroup: (item, workspace) => groupMention(item.usergroup_id, workspace),
  channel: (item, workspace) => channelMention(item.channel_id, workspace),
  broadcast: (item) => broadcastMention(item.range),
  date: (item) => dateNode(item.timestamp, item.format ?? "{date}", item.fallback, item.url),
  color: (item) => h("span", {}, swatch(item.value), item.value),
};

function swatch(value) {
  return /^#[0-9a-f]{6}$/i.test(value) ? h("span", { class: "swatch", style: { "background-color": value } }) : null;
}

function inlines(items = [], workspace) {
  return items.flatMap((item) => dress(INLINES[item.type]?.(item, workspace) ?? unknown(item.type), item.style));
}

function breaks(text) {
  return text.split("\n").flatMap((line, index) => [index > 0 && h("br"), ...withEmoji(line)]).filter(Boolean);
}

const TAGS = { code: "code", bold: "strong", italic: "em", strike: "s", underline: "u", highlight: "mark" };

function dress(content, style = {}) {
  return Object.entries(TAGS).reduce((inner, [key, tag]) => (style[key] ? h(tag, {}, inner) : inner), content);
}

const unknown = (type) => h("span", { class: "unknown" }, `[${type}: not drawn here]`);

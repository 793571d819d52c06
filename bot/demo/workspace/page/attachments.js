/** Secondary attachments: the colour bar, and either blocks or the older title, text and fields. */

import { drawBlocks } from "./blocks.js";
import { h, outsideLink } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { dayName, moment, timeOfDay } from "./time.js";

const NAMED = { good: "#2eb886", warning: "#daa038", danger: "#a30200" };

export function drawAttachments(attachments, surface) {
  return (attachments ?? []).map((attachment) => one(attachment, surface));
}

function one(attachment, surface) {
  const { workspace } = surface;
  const given = NAMED[attachment.color] ?? (/^#/.test(attachment.color ?? "") ? attachment.color : `#${attachment.color ?? ""}`);
  const bar = /^#[0-9a-f]{6}$/i.test(given) ? given : "var(--line-strong)";
  return h(
    "div",
    { class: "attachment-group" },
    attachment.pretext && h("div", { class: "attachment-pretext" }, mrkdwn(attachment.pretext, workspace)),
    h(
      "div",
      { class: "attachment" },
      h("div", { class: "attachment-bar", "aria-hidden": "true", style: { "background-color": bar } }),
      h("div", { class: "attachment-body" }, attachment.blocks ? drawBlocks(attachment.blocks, surface) : older(attachment, workspace)),
    ),
  );
}

function older(attachment, workspace) {
  const title = attachment.title && h("div", { class: "attachment-title" }, attachment.title_link ? outsideLink(attachment.title_link, attachment.title) : mrkdwn(attachment.title, workspace));
  const fields = (attachment.fields ?? []).map((field) =>
    h("div", { class: field.short ? "field-cell" : "field-cell is-wide" }, h("strong", {}, field.title), h("div", {}, mrkdwn(String(field.value ?? ""), workspace))),
  );
  const nothing = !attachment.title && !attachment.text && !fields.length;
  return [
    attachment.author_name && h("div", { class: "attachment-author" }, attachment.author_name),
    title,
    attachment.text && h("div", { class: "attachment-text" }, mrkdwn(attachment.text, workspace)),
    nothing && attachment.fallback && h("div", {}, mrkdwn(attachment.fallback, workspace)),
    fields.length > 0 && h("div", { class: "fields" }, fields),
    (attachment.footer || attachment.ts) && footer(attachment, workspace),
  ];
}

function footer(attachment, workspace) {
  const when = attachment.ts && moment(attachment.ts);
  const time = when && h("time", { datetime: when.toISOString() }, `${dayName(when)} at ${timeOfDay(when)}`);
  return h("div", { class: "attachment-footer" }, attachment.footer && mrkdwn(attachment.footer, workspace), attachment.footer && time && " · ", time);
}

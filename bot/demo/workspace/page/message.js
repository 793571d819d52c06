/** One message: who, when, what, and what can be done with it. */

import { api } from "./api.js";
import { drawAttachments } from "./attachments.js";
import { avatarOf } from "./avatar.js";
import { drawBlocks } from "./blocks.js";
import { payloadDialog } from "./dialogs.js";
import { h, icon, outsideLink } from "./dom.js";
import { emoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";
import { ago, fullMoment, moment, timeOfDay } from "./time.js";
import { Values } from "./values.js";

// What people entered into a message survives its being drawn anew.
const entered = new Map();

/** Where a message's elements act: their entries and the way to the app. */
function surfaceOf(message, channel, workspace) {
  const key = `${channel}:${message.ts}`;
  if (!entered.has(key)) entered.set(key, new Values());
  const values = entered.get(key);
  const container = { type: "message", channel, ts: message.ts, ...(message.is_ephemeral && { is_ephemeral: true }) };
  return {
    kind: "message",
    workspace,
    values,
    appName: workspace.appOf(message)?.name ?? "The app",
    dispatch: (blockId, spec, action) =>
      api.action({ user: workspace.me, container, block_id: blockId, action_id: spec.action_id, action, state: { values: values.toJSON() } }),
  };
}

/**
 * Draw a message. `compact` leaves out the author, who stands above; `onThread(ts)` opens its thread and is
 * absent within one; `onDismiss(ts)` removes an ephemeral message.
 */
export function drawMessage(message, { workspace, channel, compact = false, onThread, onDismiss }) {
  const when = moment(message.ts);
  const name = authorName(message, workspace);
  const time = h("time", { class: "message-time", datetime: when.toISOString(), title: fullMoment(when) }, timeOfDay(when));
  const classes = ["message", compact && "is-compact", message.is_ephemeral && "is-ephemeral", isFresh(message) && "is-fresh"];
  const article = h(
    "article",
    { class: classes.filter(Boolean).join(" "), tabindex: "-1", data: { ts: message.ts }, "aria-label": `${name}, ${timeOfDay(when)}` },
    h("div", { class: "message-gutter" }, compact ? time : avatarOf(message, workspace)),
    h(
      "div",
      { class: "message-main" },
      message.is_ephemeral && h("p", { class: "only-you" }, icon("eye", 14), " Only visible to you"),
      message.pinned_to?.length > 0 && h("p", { class: "only-you" }, icon("pin", 14), " Pinned"),
      !compact && h("div", { class: "message-head" }, author(message, name, workspace), time),
      body(message, surfaceOf(message, channel, workspace)),
      (message.files ?? []).map(fileCard),
      message.reactions?.length > 0 && reactions(message.reactions),
      onThread && message.reply_count > 0 && threadSummary(message, onThread),
      message.is_ephemeral && h("button", { type: "button", class: "link-button", data: { focusKey: "dismiss" }, on: { click: () => onDismiss(message.ts) } }, "Dismiss message"),
    ),
    toolbar(message, onThread),
  );
  return article;
}

const FRESH_MS = 2500;
const isFresh = (message) => Boolean(message.fresh) && Date.now() - message.fresh < FRESH_MS;

export function authorName(message, workspace) {
  return message.username ?? workspace.appOf(message)?.name ?? workspace.realName(message.user ?? "someone");
}

function author(message, name, workspace) {
  return [h("span", { class: "message-author" }, name), workspace.appOf(message) && h("span", { class: "app-badge" }, "App")];
}

/** With blocks the text is only for notifications; attachments come below either. */
function body(message, surface) {
  const { workspace } = surface;
  // What a person typed stands whole in the text; its blocks repeat it.
  const hasBlocks = message.blocks?.length > 0 && !message.client_msg_id;
  const edited = message.edited && h("span", { class: "edited", title: editedTitle(message) }, "(edited)");
  const words = hasBlocks ? drawBlocks(message.blocks, surface) : message.text ? [h("div", { class: "block message-text" }, mrkdwn(message.text, workspace))] : [];
  // The mark goes where the words end; after a block that is no text it gets its own line.
  const last = words.at(-1);
  const inline = last?.matches(".message-text, .rich-text") && (last.lastElementChild?.matches(".rich-section") ? last.lastElementChild : last.matches(".message-text") && last);
  if (edited && inline) inline.append(" ", edited);
  return h(
    "div",
    { class: "message-body" },
    words,
    edited && !inline && words.length > 0 && h("div", {}, edited),
    drawAttachments(message.attachments, surface),
    edited && !words.length && h("div", {}, edited),
  );
}

function editedTitle(message) {
  return message.edited.ts ? `Edited ${fullMoment(moment(message.edited.ts))}` : "Edited";
}

function fileCard(file) {
  const size = file.size ? `${Math.max(1, Math.round(file.size / 1024))} KB` : "";
  const address = file.url_private || file.permalink || "";
  const href = address && new URL(address, location.href).href;
  const name = file.title || file.name || "File";
  return h(
    "div",
    { class: "file" },
    icon("file", 24),
    h("div", {}, href ? outsideLink(href, name) : h("span", {}, name), h("div", { class: "quiet" }, [file.pretty_type || file.filetype || file.mimetype, size].filter(Boolean).join(" · "))),
    file.preview && h("pre", { class: "code-block" }, file.preview),
  );
}

function reactions(given) {
  return h("div", { class: "reactions" }, given.map(({ name, count }) => h("span", { class: "reaction" }, emoji(name) ?? `:${name}:`, ` ${count}`)));
}

function threadSummary(message, onThread) {
  const count = message.reply_count;
  return h(
    "button",
    { type: "button", class: "thread-summary", data: { focusKey: "thread" }, on: { click: () => onThread(message.ts) } },
    icon("reply", 16),
    h("span", { class: "thread-count" }, `${count} ${count === 1 ? "reply" : "replies"}`),
    message.latest_reply && h("span", { class: "quiet", data: { ago: message.latest_reply } }, lastReply(message.latest_reply)),
  );
}

const lastReply = (ts) => `last reply ${ago(moment(ts))}`;

/** "5 minutes ago" is soon no longer true. */
export function refreshAges() {
  for (const node of document.querySelectorAll("[data-ago]")) node.textContent = lastReply(node.dataset.ago);
}

function toolbar(message, onThread) {
  const tool = (name, label, press, focusKey) =>
    h("button", { type: "button", class: "icon-button", title: label, "aria-label": label, data: { focusKey }, on: { click: press } }, icon(name));
  return h(
    "div",
    { class: "message-tools" },
    onThread && !message.is_ephemeral && tool("reply", "Reply in thread", () => onThread(message.thread_ts ?? message.ts), "reply"),
    tool("braces", "See the message’s JSON", () => payloadDialog({ ...message, fresh: undefined }), "json"),
  );
}

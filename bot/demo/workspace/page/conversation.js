/** The two places where messages are read and written: a channel, and a thread beside it. */

import { api } from "./api.js";
import { composer } from "./composer.js";
import { h, icon } from "./dom.js";
import { drawMessage } from "./message.js";
import { Timeline } from "./timeline.js";

/** A channel's or direct conversation's messages with their composer. */
export class Conversation {
  #workspace;
  #unreadFrom;

  constructor(workspace, channel, { onThread }) {
    this.#workspace = workspace;
    this.channel = channel;
    this.#unreadFrom = workspace.marks.upTo(channel.id);
    const name = nameOf(channel, workspace);
    this.timeline = new Timeline({
      label: `Messages in ${name}`,
      intro: intro(channel, name),
      onTop: async () => workspace.history(channel.id)?.hasMore && workspace.loadOlder(channel.id),
      draw: (message, compact) =>
        drawMessage(message, { workspace, channel: channel.id, compact, onThread, onDismiss: (ts) => workspace.forget(channel.id, ts) }),
    });
    this.composer = channel.is_archived ? null : writer(workspace, channel, name, this.timeline);
    this.node = h("div", { class: "conversation" }, this.timeline.node, this.composer?.node ?? h("p", { class: "archived-note" }, `${name} is archived. Nothing can be posted here.`));
  }

  async open() {
    await this.#workspace.loadHistory(this.channel.id);
    this.draw();
    this.timeline.toEnd();
  }

  draw() {
    const history = this.#workspace.history(this.channel.id);
    if (!history) return;
    // With nothing read before there is no line to draw, and one's own message needs none.
    const unreadFrom = this.#unreadFrom === "0" ? null : this.#unreadFrom;
    this.timeline.show(history.messages.filter(isTop), { unreadFrom: this.#onlyMine(history, unreadFrom) ? null : unreadFrom, hasMore: history.hasMore });
    if (this.timeline.isAtEnd && !document.hidden) this.#workspace.markRead(this.channel.id);
  }

  #onlyMine(history, from) {
    return from === null || history.messages.filter((message) => message.ts > from).every((message) => message.user === this.#workspace.me || message.is_ephemeral);
  }

  /** From here on everything counts as read: the line goes. */
  settle() {
    this.#unreadFrom = this.#workspace.marks.upTo(this.channel.id);
  }
}

const isTop = (message) => !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast";

export function nameOf(channel, workspace) {
  return channel.is_im ? workspace.realName(workspace.partner(channel)) : `#${channel.name}`;
}

function intro(channel, name) {
  return h(
    "div",
    { class: "timeline-intro" },
    h("p", { class: "intro-title" }, name),
    h("p", { class: "quiet" }, channel.is_im ? "This is the beginning of your direct messages." : `This is the beginning of ${name}.${topicOf(channel) ? ` ${topicOf(channel)}` : ""}`),
  );
}

export const topicOf = (channel) => (typeof channel.topic === "object" ? channel.topic?.value : channel.topic) ?? "";

function writer(workspace, channel, name, timeline) {
  return composer({
    workspace,
    label: `Message ${name}`,
    placeholder: `Message ${name}`,
    send: async (text) => {
      timeline.toEnd();
      await api.say({ user: workspace.me, channel: channel.id, text });
    },
    run: (command, text) => api.command({ user: workspace.me, channel: channel.id, command, text }),
  });
}

/** The replies to one message. */
export class Thread {
  #workspace;

  constructor(workspace, channel, ts, { onClose }) {
    this.#workspace = workspace;
    this.channel = channel;
    this.ts = ts;
    this.timeline = new Timeline({
      label: "Messages in this thread",
      draw: (message, compact) => drawMessage(message, { workspace, channel: channel.id, compact, onDismiss: (gone) => workspace.forget(channel.id, gone) }),
    });
    this.composer = channel.is_archived ? null : this.#writer();
    const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close thread", on: { click: onClose } }, icon("close"));
    this.node = h(
      "aside",
      { class: "thread", "aria-label": "Thread", on: { keydown: (event) => event.key === "Escape" && !event.defaultPrevented && onClose() } },
      h("header", { class: "pane-head" }, h("div", { class: "pane-title" }, h("h2", {}, "Thread"), h("span", { class: "quiet" }, nameOf(channel, workspace))), close),
      h("div", { class: "conversation" }, this.timeline.node, this.composer?.node),
    );
  }

  #writer() {
    const { channel, ts } = this;
    return composer({
      workspace: this.#workspace,
      label: "Reply in thread",
      placeholder: "Reply…",
      send: async (text) => {
        this.timeline.toEnd();
        await api.say({ user: this.#workspace.me, channel: channel.id, text, thread_ts: ts });
      },
    });
  }

  async open() {
    await this.#workspace.loadThread(this.channel.id, this.ts);
    this.draw();
    this.timeline.toEnd();
  }

  draw() {
    const messages = this.#workspace.thread(this.channel.id, this.ts);
    if (!messages) return;
    const replies = messages.filter((message) => message.ts !== this.ts).length;
    const count = h("div", { class: "thread-divider" }, h("span", {}, replies ? `${replies} ${replies === 1 ? "reply" : "replies"}` : "No replies yet"));
    this.timeline.show(messages, { between: (message) => (message.ts === this.ts ? count : null) });
  }
}

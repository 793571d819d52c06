/** What the page knows: people, channels, messages, views. Everything that happens changes it here, then tells the rest. */

import { api, listen } from "./api.js";
import { callsOn } from "./mentions.js";
import { ReadMarks } from "./readmarks.js";

/**
 * Dispatches, each with its `detail`: state · history {channel} · thread {channel, ts} · places {channel} · arrived {channel, message} ·
 * home {view} · view {type, view, view_id} · controls · notice {text} · link {lost}.
 */
export class Workspace extends EventTarget {
  me = null;
  team = {};
  users = [];
  usergroups = [];
  channels = [];
  commands = [];
  apps = [];
  controls = [];
  home = null;
  #histories = new Map();
  #threads = new Map();
  #stop = null;
  #early = null;
  #changes = new Map();

  /** Enter as `user`, or as whom the server takes us for. What happens while the state is read is heard after it. */
  async enter(user) {
    this.#stop?.();
    this.#histories.clear();
    this.#threads.clear();
    this.home = null;
    this.me = await whoAmI(user);
    this.#early = [];
    await this.#listen();
    await this.#read();
    const early = this.#early;
    this.#early = null;
    for (const event of early) this.#hear(event);
  }

  /** Resolves when the stream is open; where that takes long the page does without until it is. */
  #listen() {
    return new Promise((resolve) => {
      setTimeout(resolve, LISTEN_MS);
      this.#stop = listen(this.me, {
        onEvent: (event) => (this.#early ? this.#early.push(event) : this.#hear(event)),
        onOpen: (again) => (resolve(), this.#connected(again)),
        onLost: () => this.#tell("link", { lost: true }),
      });
    });
  }

  async #read() {
    const state = await api.state(this.me);
    Object.assign(this, {
      team: state.team ?? {}, users: state.users, usergroups: state.usergroups ?? [], channels: state.channels,
      commands: state.commands ?? [], apps: state.apps ?? [], defaultChannel: state.default_channel,
    });
    this.marks = new ReadMarks(this.team.id ?? "", this.me);
    this.controls = (await api.controls().catch(() => ({ controls: [] }))).controls ?? [];
    this.#tell("state");
    this.#tell("controls");
    await this.#countUnread();
  }

  /** After a broken connection nothing known is certain: read all that is on show again. */
  async #connected(again) {
    this.#tell("link", { lost: false });
    if (!again) return;
    await this.#read();
    await Promise.all([...this.#histories.keys()].map((channel) => this.loadHistory(channel, { afresh: true })));
    await Promise.all([...this.#threads.keys()].map((key) => this.loadThread(...key.split(":"))));
    this.#tell("reconnected");
  }

  // ── People and places ─────────────────────────────────────────────────────

  user = (id) => this.users.find((one) => one.id === id);
  usergroup = (id) => this.usergroups.find((one) => one.id === id);
  channel = (id) => this.channels.find((one) => one.id === id);
  app = (id) => this.apps.find((one) => one.id === id);

  get people() {
    return this.users.filter((one) => !one.is_bot);
  }

  userName(id) {
    const user = this.user(id);
    return user?.profile?.display_name || user?.display_name || user?.name || id;
  }

  realName(id) {
    const user = this.user(id);
    return user?.profile?.real_name || user?.real_name || this.userName(id);
  }

  /** Whom a direct conversation is with. An app's is filed under the person's own id. */
  partner(channel) {
    return channel.user === this.me ? this.apps[0]?.bot_user_id : channel.user;
  }

  channelName(channel) {
    return channel.is_im ? this.userName(this.partner(channel)) : channel.name;
  }

  /** The app that wrote a message, if one did. */
  appOf(message) {
    const known = this.apps.find((app) => (message.bot_id && app.bot_id === message.bot_id) || (message.user && app.bot_user_id === message.user));
    if (known) return known;
    return message.bot_id || message.subtype === "bot_message" ? { name: message.username ?? "App" } : null;
  }

  /** The direct conversation with an app's bot user. */
  appChannel(app) {
    return this.channels.find((channel) => channel.is_im && this.partner(channel) === app.bot_user_id);
  }

  // ── Messages ──────────────────────────────────────────────────────────────

  history(channel) {
    return this.#histories.get(channel);
  }

  /** Read again what changed while it was on its way. */
  async #undisturbed(channel, read) {
    let before, answer;
    do {
      before = this.#changes.get(channel);
      answer = await read();
    } while (this.#changes.get(channel) !== before);
    return answer;
  }

  async loadHistory(channel, { afresh = false } = {}) {
    if (this.#histories.has(channel) && !afresh) return this.#histories.get(channel);
    const shown = this.#histories.get(channel)?.messages.length ?? 0;
    const limit = Math.max(50, Math.min(shown, 200));
    const { messages, has_more: hasMore } = await this.#undisturbed(channel, () => api.messages(this.me, channel, { limit }));
    const history = { messages: sorted(messages), hasMore };
    this.#histories.set(channel, history);
    this.#tell("history", { channel });
    return history;
  }

  async loadOlder(channel) {
    const history = this.#histories.get(channel);
    const before = history.messages.find((message) => !message.is_ephemeral)?.ts;
    const { messages, has_more: hasMore } = await api.messages(this.me, channel, { before });
    const known = new Set(history.messages.map((message) => message.ts));
    history.messages = sorted([...messages.filter((message) => !known.has(message.ts)), ...history.messages]);
    history.hasMore = hasMore && messages.length > 0;
    this.#tell("history", { channel });
  }

  thread(channel, ts) {
    return this.#threads.get(`${channel}:${ts}`);
  }

  async loadThread(channel, ts) {
    const { messages } = await this.#undisturbed(channel, () => api.replies(this.me, channel, ts));
    this.#threads.set(`${channel}:${ts}`, sorted(messages));
    this.#tell("thread", { channel, ts });
  }

  /** Take an ephemeral message, or one just deleted, off the page. */
  forget(channel, ts) {
    const history = this.#histories.get(channel);
    if (history) history.messages = history.messages.filter((message) => message.ts !== ts);
    for (const [key, messages] of this.#threads) {
      if (key.startsWith(`${channel}:`)) this.#threads.set(key, messages.filter((message) => message.ts !== ts));
    }
    this.#tell("history", { channel });
    this.#tell("thread", { channel });
  }

  // ── Unread ────────────────────────────────────────────────────────────────

  unread = (channel) => this.marks.unread(channel.id, channel.latest_ts);
  mentions = (channel) => this.marks.mentions(channel.id);

  markRead(channel) {
    const latest = this.channel(channel)?.latest_ts;
    if (latest && this.marks.read(channel, latest)) this.#tell("state");
  }

  /** On entering, count the mentions among what was not read yet. */
  async #countUnread() {
    for (const channel of this.channels.filter((one) => this.unread(one))) {
      const { messages } = await api.messages(this.me, channel.id, { limit: 50 }).catch(() => ({ messages: [] }));
      for (const message of messages) this.#count(channel, message);
    }
    this.#tell("state");
  }

  #count(channel, message) {
    if (message.user === this.me) return;
    if (channel.is_im || callsOn(message, this)) this.marks.mention(channel.id, message.ts);
  }

  // ── What happens ──────────────────────────────────────────────────────────

  #hear(event) {
    // What happens where we are no member does not concern us.
    if (event.message && !this.channel(event.channel)) return;
    if (event.message) this.#changes.set(event.channel, (this.#changes.get(event.channel) ?? 0) + 1);
    HEARING[event.type]?.call(this, event.channel, event);
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  _arrive(id, { message }) {
    const channel = this.channel(id);
    if (channel && !message.is_ephemeral && later(message.ts, channel.latest_ts)) channel.latest_ts = message.ts;
    const isReply = Boolean(message.thread_ts && message.thread_ts !== message.ts);
    if (isReply) this.#reply(id, message);
    if (!isReply || message.subtype === "thread_broadcast") {
      const history = this.#histories.get(id);
      if (history) history.messages = sorted([...history.messages.filter((one) => one.ts !== message.ts), message]);
      this.#tell("history", { channel: id });
    }
    if (channel) this.#count(channel, message);
    if (message.user === this.me && !message.is_ephemeral) this.marks.read(id, message.ts);
    this.#tell("arrived", { channel: id, message });
    this.#tell("state");
  }

  #reply(channel, message) {
    const key = `${channel}:${message.thread_ts}`;
    const known = this.#threads.get(key);
    if (known) this.#threads.set(key, sorted([...known.filter((one) => one.ts !== message.ts), message]));
    this.#tell("thread", { channel, ts: message.thread_ts });
    if (message.is_ephemeral) return;
    this.#replace(channel, message.thread_ts, (parent) =>
      later(message.ts, parent.latest_reply) ? { ...parent, reply_count: (parent.reply_count ?? 0) + 1, latest_reply: message.ts } : parent,
    );
  }

  _change(id, { message }) {
    this.#replace(id, message.ts, (old) => {
      const edited = JSON.stringify([old.text, old.blocks, old.attachments]) !== JSON.stringify([message.text, message.blocks, message.attachments]);
      return { ...message, fresh: edited ? Date.now() : old.fresh };
    });
  }

  /** Put a changed message in the place of the old one, wherever it is on show. */
  #replace(channel, ts, change) {
    const swap = (messages) => messages.map((message) => (message.ts === ts ? change(message) : message));
    const history = this.#histories.get(channel);
    if (history) history.messages = swap(history.messages);
    for (const [key, messages] of this.#threads) if (key.startsWith(`${channel}:`)) this.#threads.set(key, swap(messages));
    this.#tell("history", { channel });
    this.#tell("thread", { channel });
  }

  _delete(id, { ts }) {
    this.forget(id, ts);
  }

  _view(id, event) {
    this.#tell("view", event);
  }

  _home(id, { view }) {
    this.home = view;
    this.#tell("home", { view });
  }

  /** A channel came, changed, or went: then there is no `info`. */
  _channel(id, { info }) {
    const known = this.channel(id);
    if (!info) this.channels = this.channels.filter((one) => one.id !== id);
    else if (known) Object.assign(known, info, { latest_ts: known.latest_ts ?? info.latest_ts });
    else if (!info.is_im || info.user === this.me) this.channels.push(info);
    this.#tell("state");
    this.#tell("places", { channel: id });
  }

  _app(id, { apps }) {
    this.apps = apps;
    this.#tell("state");
    this.#refreshCommands();
  }

  /** An app that has just come brings its commands. */
  async #refreshCommands() {
    const { commands } = await api.state(this.me).catch(() => ({}));
    if (commands) this.commands = commands;
  }

  _notice(id, { text }) {
    this.#tell("notice", { text, channel: id });
  }

  _controls(id, { controls }) {
    this.controls = controls;
    this.#tell("controls");
  }
}

const LISTEN_MS = 2000;

async function whoAmI(wished) {
  // Who was chosen in an earlier demo may not exist in this one.
  const { me, users } = await api.state(wished).catch((error) => (wished ? api.state() : Promise.reject(error)));
  return (typeof me === "object" ? me?.id : me) ?? users.find((one) => !one.is_bot)?.id;
}

const HEARING = {
  message: Workspace.prototype._arrive,
  message_changed: Workspace.prototype._change,
  message_deleted: Workspace.prototype._delete,
  ephemeral: Workspace.prototype._arrive,
  ephemeral_changed: Workspace.prototype._change,
  view_opened: Workspace.prototype._view,
  view_updated: Workspace.prototype._view,
  view_closed: Workspace.prototype._view,
  home: Workspace.prototype._home,
  channel: Workspace.prototype._channel,
  app_status: Workspace.prototype._app,
  notice: Workspace.prototype._notice,
  controls: Workspace.prototype._controls,
};

// Timestamps are digits of one length, a point and digits: as text they sort as they happened.
export const later = (ts, than) => !than || ts > than;
const sorted = (messages) => [...messages].sort((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0));

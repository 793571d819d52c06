/** A list of messages that grows at its end without pulling the reader away. */

import { h, icon, reconcile } from "./dom.js";
import { dayName, moment } from "./time.js";

const NEAR_END = 60;
const NEAR_TOP = 120;
const SAME_BREATH_S = 300;

/**
 * `draw(message, compact)` makes a message's element; `onTop()` fetches older ones. The list follows its end while
 * the reader is there; otherwise it stays still and a pill tells what came.
 */
export class Timeline {
  #draw;
  #drawn = new Map();
  #list = h("div", { class: "timeline-list" });
  #pill;
  #waiting = 0;
  #last = "";
  #atEnd = true;
  #fetching = false;

  constructor({ label, draw, onTop = null, intro = null }) {
    this.#draw = draw;
    this.intro = intro;
    this.#pill = h("button", { type: "button", class: "pill", hidden: true, on: { click: () => this.toEnd() } });
    this.scroller = h("div", { class: "timeline", tabindex: "0", role: "region", "aria-label": label }, this.#list);
    this.node = h("div", { class: "timeline-frame" }, this.scroller, this.#pill);
    this.scroller.addEventListener("scroll", () => this.#scrolled(onTop), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.#walk(event));
    // Pictures and charts get their height late; the end must stay the end.
    new ResizeObserver(() => this.#atEnd && this.#jump()).observe(this.#list);
    new ResizeObserver(() => this.#atEnd && this.#jump()).observe(this.scroller);
  }

  get isAtEnd() {
    return this.#atEnd;
  }

  /** Show these messages; a line marks where what was not read begins. `between` may put nodes after a message. */
  show(messages, { unreadFrom = null, between = () => null, hasMore = false } = {}) {
    const followed = this.#atEnd;
    const heightBefore = this.scroller.scrollHeight - this.scroller.scrollTop;
    const firstBefore = this.#list.querySelector(".message")?.dataset.ts;
    reconcile(this.#list, this.#nodes(messages, { unreadFrom, between, hasMore }));
    if (followed) this.#jump();
    else if (firstBefore && messages[0]?.ts < firstBefore) this.scroller.scrollTop = this.scroller.scrollHeight - heightBefore;
    const arrived = this.#last ? messages.filter((message) => message.ts > this.#last).length : 0;
    this.#last = messages.at(-1)?.ts ?? this.#last;
    if (!followed && arrived) this.#announce(arrived);
  }

  toEnd() {
    this.#atEnd = true;
    this.#announce(-this.#waiting);
    this.#jump();
  }

  #jump() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #announce(more) {
    this.#waiting += more;
    this.#pill.hidden = this.#waiting === 0;
    this.#pill.replaceChildren(icon("down", 16), ` ${this.#waiting} new ${this.#waiting === 1 ? "message" : "messages"}`);
  }

  async #scrolled(onTop) {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (this.#atEnd && this.#waiting) this.#announce(-this.#waiting);
    if (scrollTop > NEAR_TOP || this.#fetching || !onTop) return;
    this.#fetching = true;
    await onTop().catch(() => {});
    this.#fetching = false;
  }

  #nodes(messages, { unreadFrom, between, hasMore }) {
    const drawn = new Map();
    const nodes = [hasMore ? h("p", { class: "quiet timeline-more" }, "Older messages…") : this.intro];
    let before = null;
    let newLine = false;
    let isParted = false;
    for (const message of messages) {
      const day = dayName(moment(message.ts));
      const newDay = !before || dayName(moment(before.ts)) !== day;
      if (newDay) nodes.push(this.#keep(drawn, `day ${day}`, "", () => divider("day", day)));
      const isNew = unreadFrom !== null && !newLine && message.ts > unreadFrom;
      if (isNew) nodes.push(this.#keep(drawn, "new", "", () => divider("new", "New")));
      newLine ||= isNew;
      const compact = !newDay && !isNew && !isParted && followsOn(before, message);
      const after = between(message);
      nodes.push(this.#keep(drawn, message.ts, [message, compact], () => this.#draw(message, compact)), after);
      before = message;
      isParted = after !== null;
    }
    this.#drawn = drawn;
    return nodes.filter(Boolean);
  }

  /** The element drawn before, unless what it shows has changed. Focus inside is carried over to its successor. */
  #keep(drawn, key, shows, draw) {
    const old = this.#drawn.get(key);
    const same = old && (old.shows === shows || (Array.isArray(shows) && shows.every((part, index) => part === old.shows[index])));
    const node = same ? old.node : draw();
    drawn.set(key, { shows, node });
    if (old && !same && old.node.contains(document.activeElement)) carryFocus(old.node, node);
    return node;
  }

  /** Up and down go from message to message once one has the focus. */
  #walk(event) {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    const messages = [...this.#list.querySelectorAll(".message")];
    const at = messages.indexOf(document.activeElement);
    if (at < 0 && document.activeElement !== this.scroller) return;
    const next = at < 0 ? messages.at(-1) : messages[at + (event.key === "ArrowUp" ? -1 : 1)];
    event.preventDefault();
    next?.focus();
  }
}

function carryFocus(from, to) {
  const key = document.activeElement.dataset.focusKey;
  queueMicrotask(() => {
    const twin = key && [...to.querySelectorAll("[data-focus-key]")].find((node) => node.dataset.focusKey === key);
    (twin ?? to).focus({ preventScroll: true });
  });
}

function divider(kind, label) {
  return h("div", { class: `timeline-divider is-${kind}`, role: "separator", "aria-label": label }, h("span", {}, label));
}

/** Whether a message continues the one before: same author, a few minutes apart, both ordinary. */
function followsOn(before, message) {
  const author = (one) => one.bot_id ?? one.user;
  if (author(before) !== author(message) || before.username !== message.username) return false;
  if (before.is_ephemeral || message.is_ephemeral) return false;
  return Number(message.ts) - Number(before.ts) < SAME_BREATH_S;
}

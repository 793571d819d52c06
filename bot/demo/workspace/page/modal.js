/** Modals: views the app opens, one on top of the other. */

import { api } from "./api.js";
import { drawBlocks } from "./blocks.js";
import { freshId, h, icon } from "./dom.js";
import { appAvatar } from "./avatar.js";
import { complaint } from "./elements.js";
import { textObject } from "./mrkdwn.js";
import { Values } from "./values.js";

/** Shows the top of the stack in one native dialog, which keeps the focus inside and gives it back afterwards. */
export class Modals {
  #workspace;
  #stack = [];
  #dialog = null;
  #before = null;

  constructor(workspace) {
    this.#workspace = workspace;
    workspace.addEventListener("view", ({ detail }) => this.#hear(detail));
  }

  get #top() {
    return this.#stack.at(-1);
  }

  #hear({ type, view, view_id: viewId }) {
    if (type === "view_opened") this.#push(view);
    else if (type === "view_updated") this.#update(view);
    else this.#remove(viewId ?? view?.id);
  }

  #push(view) {
    if (this.#stack.some((one) => one.view.id === view.id)) return this.#update(view);
    // A view that names none before it starts afresh.
    if (!view.previous_view_id) this.#stack = [];
    this.#stack.push({ view, values: new Values(), errors: {} });
    return this.#draw();
  }

  #update(view) {
    const entry = this.#stack.find((one) => one.view.id === view.id);
    if (!entry) return;
    entry.view = view;
    entry.errors = {};
    entry.values.keepOnly(new Set((view.blocks ?? []).map((block) => block.block_id)));
    if (entry === this.#top) this.#draw();
  }

  #remove(viewId) {
    const wasTop = this.#top?.view.id === viewId;
    this.#stack = this.#stack.filter((one) => one.view.id !== viewId);
    if (wasTop) this.#draw();
  }

  // ── Drawing ───────────────────────────────────────────────────────────────

  #draw() {
    const entry = this.#top;
    if (!entry) return this.#shut();
    if (!this.#dialog) this.#show();
    const focused = this.#dialog.contains(document.activeElement) ? document.activeElement.dataset.focusKey : null;
    const caret = focused && document.activeElement.selectionStart;
    this.#dialog.replaceChildren(...this.#parts(entry));
    this.#showErrors(entry, false);
    this.#focusFirst(focused, caret);
  }

  #show() {
    this.#before = document.activeElement;
    this.#dialog = h("dialog", { class: "dialog modal" });
    // Escape closes one view, and the app hears of it.
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#close();
    });
    document.body.append(this.#dialog);
    this.#dialog.showModal();
  }

  #shut() {
    if (!this.#dialog) return;
    this.#dialog.close();
    this.#dialog.remove();
    this.#dialog = null;
    const back = this.#before?.isConnected && this.#before !== document.body ? this.#before : document.querySelector(".composer-box");
    back?.focus({ preventScroll: true });
  }

  #focusFirst(key, caret) {
    const nodes = [...this.#dialog.querySelectorAll("[data-focus-key]")];
    const twin = key && nodes.find((node) => node.dataset.focusKey === key);
    const wished = this.#dialog.querySelector("[data-autofocus]");
    const first = this.#dialog.querySelector(".modal-body :is(input, textarea, select, button.select)");
    (twin ?? wished ?? first ?? this.#dialog.querySelector(".modal-submit, .modal-close"))?.focus();
    if (twin && Number.isInteger(caret)) twin.setSelectionRange?.(caret, caret);
  }

  #parts(entry) {
    const { view } = entry;
    const title = freshId("title");
    this.#dialog.setAttribute("aria-labelledby", title);
    const isPushed = this.#stack.length > 1;
    const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close", on: { click: () => this.#close() } }, icon("close"));
    const back = isPushed && h("button", { type: "button", class: "icon-button", "aria-label": "Back", on: { click: () => this.#close() } }, icon("back"));
    const cancel = h("button", { type: "button", class: "button modal-close", on: { click: () => this.#close() } }, view.close?.text ?? (view.submit ? "Cancel" : "Close"));
    const submit = view.submit && h("button", { type: "submit", class: "button is-primary modal-submit" }, h("span", { class: "button-label" }, textObject(view.submit, this.#workspace)));
    const app = this.#workspace.apps[0];
    return [
      h(
        "form",
        { novalidate: true, on: { submit: (event) => (event.preventDefault(), this.#submit(entry, submit)) } },
        h("div", { class: "dialog-head" }, back, appAvatar("avatar is-small"), h("h2", { id: title }, view.title?.text ?? app?.name ?? ""), close),
        h("div", { class: "dialog-body modal-body" }, drawBlocks(view.blocks, this.#surface(entry))),
        h("div", { class: "dialog-foot" }, h("p", { class: "modal-problem", role: "alert" }), cancel, submit),
      ),
    ];
  }

  #surface(entry) {
    const workspace = this.#workspace;
    const { values, view } = entry;
    return {
      kind: "modal", workspace, values, appName: workspace.apps[0]?.name ?? "The app",
      touched: (blockId) => this.#forgive(entry, blockId),
      dispatch: (blockId, spec, action) =>
        api.action({
          user: workspace.me, container: { type: "view", view_id: view.id }, block_id: blockId,
          action_id: spec.action_id, action, state: { values: values.toJSON() },
        }),
    };
  }

  // ── Errors ────────────────────────────────────────────────────────────────

  #forgive(entry, blockId) {
    if (!(blockId in entry.errors)) return;
    delete entry.errors[blockId];
    this.#showErrors(entry, false);
  }

  #showErrors(entry, focus) {
    for (const input of this.#dialog.querySelectorAll(".block.input")) {
      const error = entry.errors[input.dataset.input] ?? "";
      const control = input.querySelector("input, textarea, button.select");
      input.classList.toggle("has-error", Boolean(error));
      const spot = input.querySelector(".input-error");
      if (spot.textContent !== error) spot.textContent = error;
      if (error) control?.setAttribute("aria-invalid", "true");
      else control?.removeAttribute("aria-invalid");
    }
    if (focus) this.#dialog.querySelector(".has-error :is(input, textarea, button.select)")?.focus();
  }

  /** The checks the client makes by itself. */
  #ownErrors({ view, values }) {
    const errors = {};
    for (const block of view.blocks ?? []) {
      if (block.type !== "input") continue;
      const found = complaint(block.element, values.get(block.block_id, block.element.action_id), block.optional === true);
      if (found) errors[block.block_id] = found;
    }
    return errors;
  }

  // ── What people do ────────────────────────────────────────────────────────

  async #submit(entry, button) {
    entry.errors = this.#ownErrors(entry);
    this.#showErrors(entry, true);
    if (Object.keys(entry.errors).length || button?.getAttribute("aria-busy") === "true") return;
    button?.setAttribute("aria-busy", "true");
    this.#problem("");
    try {
      const answer = await api.submit({ user: this.#workspace.me, view_id: entry.view.id, values: entry.values.toJSON() });
      this.#answered(entry, answer);
    } catch (error) {
      this.#problem(`We had some trouble connecting. ${error.message} Try again?`);
    } finally {
      button?.removeAttribute("aria-busy");
    }
  }

  #answered(entry, { ok, response_action: action, errors, view, error }) {
    if (errors) {
      entry.errors = errors;
      this.#showErrors(entry, true);
    } else if (ok === false) this.#problem(error ?? "The app did not respond.");
    else if (action === "clear") this.#clear();
    else if (action === "update") view && this.#update({ ...view, id: view.id ?? entry.view.id });
    else if (action === "push") view && this.#push({ ...view, previous_view_id: view.previous_view_id ?? entry.view.id });
    else this.#remove(entry.view.id);
  }

  #clear() {
    this.#stack = [];
    this.#draw();
  }

  #problem(text) {
    const spot = this.#dialog?.querySelector(".modal-problem");
    if (spot) spot.textContent = text;
  }

  #close() {
    const entry = this.#top;
    if (!entry) return;
    this.#remove(entry.view.id);
    api.close({ user: this.#workspace.me, view_id: entry.view.id }).catch(() => {});
  }
}
